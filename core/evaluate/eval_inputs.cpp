#include "core/evaluate/eval_inputs.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "core/base/error.h"
#include "core/data/benchmarks/edit_dataset.h"
#include "core/data/benchmarks/knowedit.h"
#include "core/edit/test_questions.h"

namespace xkde {
namespace {

std::vector<EvalEdit> read_knowedit_edits(const EvalOptions& options, EvalInputs& inputs) {
  const KnowEditSet set = knowedit_from_name(options.benchmark);
  KnowEditDataset data =
      read_knowedit(set, find_knowedit_file(set, options.data, KnowEditSplit::kTest));
  for (const auto& [reason, count] : data.skipped) inputs.skipped[reason] += count;
  const auto [begin, end] = Slice::parse(options.records).range(std::ssize(data.records));
  const KnowEditForm form =
      options.averaging == Averaging::kLte ? KnowEditForm::kLte : KnowEditForm::kEasyEdit;
  std::vector<EvalEdit> edits;
  for (int64_t i = begin; i < end; ++i)
    edits.push_back(eval_edit(data.records[static_cast<size_t>(i)], form, inputs.skipped));
  return edits;
}

std::vector<EvalEdit> read_parallel_edits(const EvalOptions& options, const LanguagePair& pair,
                                          EvalInputs& inputs) {
  EditDataset data = load_edits(benchmark_from_name(options.benchmark), options.data, pair.first,
                                pair.second, Slice::parse(options.records));
  for (const auto& [reason, count] : data.skipped)
    inputs.skipped[pair.first + " -> " + pair.second + ": " + reason] += count;
  std::vector<EvalEdit> edits;
  for (const EditRecord& record : data.records)
    edits.push_back(eval_edit(record, language_of(pair.first), language_of(pair.second)));
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

EvalInputs read_eval_inputs(const EvalOptions& options) {
  EvalInputs inputs;
  const bool is_shared =
      options.memory == MemoryScope::kTestLanguage && options.mode != EditMode::kSingle;
  std::map<std::string, size_t> stream_of_test;
  for (const std::string& edit : options.edit_languages) {
    for (const std::string& test : options.test_languages) {
      const LanguagePair pair{edit, test};
      std::vector<EvalEdit> edits = is_knowedit_name(options.benchmark)
                                        ? read_knowedit_edits(options, inputs)
                                        : read_parallel_edits(options, pair, inputs);
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
