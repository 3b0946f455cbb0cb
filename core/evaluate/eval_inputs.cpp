#include "core/evaluate/eval_inputs.h"

#include <algorithm>
#include <iterator>
#include <numeric>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/base/rng.h"
#include "core/data/benchmarks/benchmarks.h"
#include "core/edit/probe_questions.h"
#include "core/edit/probe_templates.h"
#include "core/edit/test_questions.h"
#include "core/text/regex/unicode.h"

namespace xkde {
namespace {

/// The places of the records that a seed draws, in their order; without a seed all, as in the file.
std::vector<int64_t> drawn(const EvalOptions& options, std::optional<int64_t> seed, int64_t count) {
  std::vector<int64_t> places(static_cast<size_t>(count));
  std::iota(places.begin(), places.end(), 0);
  if (!seed) return places;
  XKDE_CHECK(options.sample <= count, DataError, options.data.string(),
             ": sample: expected at most ", count, " (the records at hand), found ",
             options.sample);
  places = RandomStream(static_cast<uint64_t>(*seed), "evaluate.records").permutation(count);
  if (options.sample > 0) places.resize(static_cast<size_t>(options.sample));
  return places;
}

std::vector<EvalEdit> read_edits(const EvalOptions& options, const LanguagePair& pair,
                                 std::optional<int64_t> seed, LoadedData& files,
                                 EvalInputs& inputs) {
  const EditDataset data = options.load(pair.first, pair.second, Split::kTest, files);
  const bool has_pairs = !benchmark_of(options.benchmark).has_one_language();
  const std::string place = has_pairs ? pair.first + " -> " + pair.second + ": " : "";
  const bool is_counted = !seed || *seed == options.seeds.front();
  for (const auto& [reason, count] : data.skipped)
    inputs.skipped[place + reason] += is_counted ? count : 0;
  const QuestionForm form =
      options.averaging == Averaging::kLte ? QuestionForm::kLte : QuestionForm::kEasyEdit;
  std::vector<EvalEdit> edits;
  const Language& test = language_of(pair.second);
  for (const int64_t one : drawn(options, seed, std::ssize(data.records))) {
    const EditRecord& record = data.records[static_cast<size_t>(one)];
    edits.push_back(eval_edit(record, language_of(pair.first), test, form, inputs.skipped));
    std::vector<EditQuestion> probes =
        probe_questions(side_of(record, test), test, options.probes, inputs.skipped);
    std::move(probes.begin(), probes.end(), std::back_inserter(edits.back().asked));
  }
  return edits;
}

/// The metric of a kind's name: "fact_check" of "fact_check.new".
std::string_view metric_of(std::string_view kind) { return kind.substr(0, kind.find('.')); }

/// No probe that is asked for is left without a question.
void check_probes(const EvalOptions& options, const EvalInputs& inputs) {
  for (const std::string& probe : options.probes) {
    const bool is_asked = std::any_of(inputs.used.begin(), inputs.used.end(), [&](const auto& one) {
      return metric_of(one.first) == probe;
    });
    if (is_asked) continue;
    std::vector<std::string> reasons;
    for (const auto& [reason, count] : inputs.skipped) {
      if (reason.starts_with(probe + ":")) reasons.push_back(concat(reason, ": ", count));
    }
    throw DataError(concat(options.data.string(), ": probes: expected a row that allows ", probe,
                           ", found none (", fmt::format("{}", fmt::join(reasons, ", ")), ")"));
  }
}

/// The longest beginning of `text` with that many tokens.
std::optional<std::string_view> beginning_of_tokens(std::string_view text, int64_t tokens,
                                                    const Tokenizer& tokenizer) {
  constexpr int64_t kSlack = 8;  // A longer text may have fewer tokens, but not many fewer.
  std::optional<std::string_view> found;
  for (size_t end = 0; end < text.size();) {
    const bool is_blank = unicode::is_whitespace(unicode::next(text, end));
    const std::string_view beginning = text.substr(0, end);
    const int64_t count = is_blank ? 0 : std::ssize(tokenizer.encode(beginning));
    if (count == tokens) found = beginning;
    if (count > tokens + kSlack) break;
  }
  return found;
}

void cut_nq_prefixes(std::vector<EvalEdit>& edits) {
  for (EvalEdit& edit : edits) {
    for (EditQuestion& question : edit.asked) {
      if (question.kind.metric == Metric::kLocality)
        question.question = std::string(without_nq_prefix(question.question));
    }
  }
}

/// Adds the streams of all pairs, of the records that `seed` draws.
void add_streams(const EvalOptions& options, std::optional<int64_t> seed, LoadedData& files,
                 EvalInputs& inputs) {
  const bool is_shared =
      options.memory == MemoryScope::kTestLanguage && options.mode != EditMode::kSingle;
  std::map<std::string, size_t> stream_of_test;
  for (const std::string& edit : options.edit_languages) {
    for (const std::string& test : options.test_languages) {
      const LanguagePair pair{edit, test};
      std::vector<EvalEdit> edits = read_edits(options, pair, seed, files, inputs);
      XKDE_CHECK(!edits.empty(), DataError, options.data.string(), ": expected records for ", edit,
                 " -> ", test, ", found none in the slice \"", options.records, "\"");
      if (options.nq_prefix == NqPrefix::kCut) cut_nq_prefixes(edits);
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
      if (seed) inputs.seeds.push_back(*seed);
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
  for (const int64_t seed : options.seeds) add_streams(options, seed, files, inputs);
  if (options.seeds.empty()) add_streams(options, std::nullopt, files, inputs);
  check_probes(options, inputs);
  return inputs;
}

std::string piece_of_tokens(std::string_view passage, int64_t tokens, const Tokenizer& tokenizer) {
  for (size_t begin = 0; begin < passage.size();) {
    if (const auto piece = beginning_of_tokens(passage.substr(begin), tokens, tokenizer))
      return std::string(*piece);
    // A character of several tokens was in the way: the next word may begin another count.
    const bool has_blanks = passage.find(' ', begin) != std::string_view::npos;
    if (has_blanks) begin = passage.find(' ', begin) + 1;
    if (!has_blanks) unicode::next(passage, begin);
  }
  throw ConfigError(concat("probes: prefix: expected a text that can be cut to ", tokens,
                           " tokens of the model, found \"", passage, "\""));
}

void cut_prefixes(EvalInputs& inputs, const Tokenizer& tokenizer) {
  std::map<std::string, std::string> pieces;
  for (EvalStream& stream : inputs.streams) {
    for (size_t i = 0; i < stream.edits.size(); ++i) {
      for (EditQuestion& question : stream.edits[i].asked) {
        const Metric metric = question.kind.metric;
        if (metric != Metric::kPrefix && metric != Metric::kDistance) continue;
        const std::string& iso = language_of(inputs.pairs[stream.pairs[i]].second).iso;
        std::string& piece = pieces[iso];
        if (piece.empty()) piece = piece_of_tokens(question.preface, kPrefixTokens, tokenizer);
        question.preface = piece;
      }
    }
  }
}

}  // namespace xkde
