#include "core/evaluate/eval_inputs.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "core/base/error.h"
#include "core/data/benchmarks/benchmarks.h"
#include "core/edit/test_questions.h"

namespace xkde {
namespace {

std::vector<EvalEdit> read_edits(const EvalOptions& options, const LanguagePair& pair,
                                 LoadedData& files, EvalInputs& inputs) {
  const EditDataset data = options.load(pair.first, pair.second, Split::kTest, files);
  const bool has_pairs = !benchmark_of(options.benchmark).has_one_language();
  const std::string place = has_pairs ? pair.first + " -> " + pair.second + ": " : "";
  for (const auto& [reason, count] : data.skipped) inputs.skipped[place + reason] += count;
  const QuestionForm form =
      options.averaging == Averaging::kLte ? QuestionForm::kLte : QuestionForm::kEasyEdit;
  std::vector<EvalEdit> edits;
  for (const EditRecord& record : data.records)
    edits.push_back(
        eval_edit(record, language_of(pair.first), language_of(pair.second), form, inputs.skipped));
  return edits;
}

void cut_prefixes(std::vector<EvalEdit>& edits) {
  for (EvalEdit& edit : edits) {
    for (EditQuestion& question : edit.asked) {
      if (question.kind.metric == Metric::kLocality)
        question.question = std::string(without_nq_prefix(question.question));
    }
  }
}

}  // namespace

std::vector<int64_t> EvalInputs::edits_of_stream() const {
  std::vector<int64_t> counts;
  for (const EvalStream& stream : streams) counts.push_back(std::ssize(stream.edits));
  return counts;
}

EvalInputs read_eval_inputs(const EvalOptions& options, LoadedData& files) {
  EvalInputs inputs;
  const bool is_shared =
      options.memory == MemoryScope::kTestLanguage && options.mode != EditMode::kSingle;
  std::map<std::string, size_t> stream_of_test;
  for (const std::string& edit : options.edit_languages) {
    for (const std::string& test : options.test_languages) {
      const LanguagePair pair{edit, test};
      std::vector<EvalEdit> edits = read_edits(options, pair, files, inputs);
      XKDE_CHECK(!edits.empty(), DataError, options.data.string(), ": expected records for ", edit,
                 " -> ", test, ", found none in the slice \"", options.records, "\"");
      if (options.nq_prefix == NqPrefix::kCut) cut_prefixes(edits);
      inputs.used["edits"] += std::ssize(edits);
      for (const EvalEdit& one : edits) {
        for (const EditQuestion& question : one.asked) ++inputs.used[question.kind.name()];
      }
      size_t position = inputs.streams.size();
      if (is_shared) position = stream_of_test.emplace(test, position).first->second;
      if (position == inputs.streams.size()) inputs.streams.emplace_back();
      EvalStream& stream = inputs.streams[position];
      stream.pairs.insert(stream.pairs.end(), edits.size(), inputs.pairs.size());
      std::move(edits.begin(), edits.end(), std::back_inserter(stream.edits));
      inputs.pairs.push_back(pair);
    }
  }
  return inputs;
}

}  // namespace xkde
