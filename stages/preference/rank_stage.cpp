#include "stages/preference/rank_stage.h"

#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/rng.h"
#include "core/base/stopwatch.h"
#include "core/data/preference_rows.h"
#include "core/edit/preference_pairs.h"
#include "core/io/atomic_file.h"
#include "core/io/file_reader.h"
#include "core/reward/encoder_reward.h"
#include "core/reward/nllb_reward.h"
#include "core/reward/reward.h"
#include "core/text/plural.h"
#include "core/text/regex/unicode.h"
#include "distributed/comm/agreement.h"
#include "stages/recipe/run_record.h"
#include "stages/run/chunk_log.h"
#include "stages/run/work_queue.h"

namespace xkde::recipe {
namespace {

constexpr int64_t kRowsPerChunk = 64;
constexpr const char* kScoresFile = "scores.jsonl";

/// What the stage counts, beside the pairs that were left out.
struct RankCounts {
  int64_t prompts_without_answers = 0;
  int64_t answers_equal_to_gold = 0;
  int64_t prompts_all_gold = 0;
  int64_t prompts_without_pairs = 0;
  DroppedPairs dropped;
};

/// The answers of a prompt that are worth a reward: distinct ones that are not the gold answer.
std::vector<std::string> answers_to_score(const SampleRow& row, const RankStage& stage,
                                          RankCounts& counts) {
  const bool both = stage.gold_test == GoldTest::kStripBoth;
  const std::string_view gold = both ? unicode::strip(row.gold) : std::string_view(row.gold);
  std::vector<std::string> texts;
  for (const SampledAnswer& answer : row.answers) {
    if ((both ? unicode::strip(answer.text) : unicode::strip_left(answer.text)) == gold) {
      ++counts.answers_equal_to_gold;
    } else if (std::find(texts.begin(), texts.end(), answer.text) != texts.end()) {
      ++counts.dropped.repeated_answers;
    } else {
      texts.push_back(answer.text);
    }
  }
  if (row.answers.empty()) ++counts.prompts_without_answers;
  if (texts.empty() && !row.answers.empty()) ++counts.prompts_all_gold;
  return texts;
}

using Scores = std::vector<std::vector<double>>;

std::unique_ptr<Reward> make_reward(const RankStage& stage) {
  switch (stage.reward) {
    case RewardKind::kChrf:
      return make_chrf_reward();
    case RewardKind::kEncoder:
      return make_encoder_reward(stage.model_name_or_path, stage.max_tokens_per_batch,
                                 stage.prefix);
    case RewardKind::kNllb:
      return make_nllb_reward(stage.model_name_or_path, stage.nllb_options());
  }
  throw InternalError("rank: unknown reward");
}

std::vector<RewardCase> cases_of(const std::vector<SampleRow>& rows,
                                 const std::vector<std::vector<std::string>>& texts,
                                 const RankStage& stage) {
  std::vector<RewardCase> cases;
  for (size_t i = 0; i < rows.size(); ++i) {
    const auto& [edit, test] = rows[i].languages;
    const bool asks = stage.reward_entry().asks_languages &&
                      (stage.source_language == "auto" || stage.target_language == "auto");
    XKDE_CHECK(!asks || !test.empty() || texts[i].empty(), ConfigError, "rank: sample \"",
               rows[i].id,
               "\": expected an id that tells its languages (identity_0_bmike53_enes_src), or "
               "source_language and target_language, found neither");
    cases.push_back({rows[i].gold, texts[i], test, edit});
  }
  return cases;
}

/// Scores the cases into scores.jsonl, a line for each: chunks go to whoever is free, and what an
/// earlier run scored stays.
void score_on_ranks(const std::vector<SampleRow>& rows, const std::vector<RewardCase>& cases,
                    const Reward& reward, const std::filesystem::path& folder,
                    RunContext& context) {
  std::vector<int64_t> rows_of_chunk;
  for (int64_t left = std::ssize(cases); left > 0; left -= kRowsPerChunk)
    rows_of_chunk.push_back(std::min(left, kRowsPerChunk));
  const auto chunks = std::ssize(rows_of_chunk);
  ChunkLog log(folder / kScoresFile, std::move(rows_of_chunk), context.comm());
  WorkQueue queue("rank", chunks, context.comm(), log);
  queue.run(0, chunks, "scores", [&](int64_t next) {
    const Stopwatch watch;
    const auto begin = static_cast<size_t>(next * kRowsPerChunk);
    const size_t count = std::min(cases.size() - begin, static_cast<size_t>(kRowsPerChunk));
    const Scores scores = reward.score(std::span(cases).subspan(begin, count));
    std::vector<Json> lines;
    int64_t answers = 0;
    for (size_t i = 0; i < count; ++i) {
      lines.push_back({{"id", rows[begin + i].id}, {"scores", scores[i]}});
      answers += std::ssize(scores[i]);
    }
    log.append(next, lines,
               {{"chunk", next},
                {"rank", context.comm().rank()},
                {"prompts", count},
                {"answers", answers},
                {"seconds", watch.seconds()}});
    return std::string();
  });
  log.finish();
}

/// What scores.jsonl holds for each case. Throws DataError where it is another file than this run
/// wrote.
Scores read_scores(const std::filesystem::path& file, const std::vector<RewardCase>& cases) {
  Scores scores;
  auto lines = LineReader::open_if_there(file, FileOrigin::kOwn);
  for (std::string line; lines && lines->next(line);) {
    const std::string place = concat(file.string(), ": line ", scores.size() + 1);
    scores.push_back(parse_json(line, place).at("scores").get<std::vector<double>>());
    XKDE_CHECK(scores.size() <= cases.size() &&
                   scores.back().size() == cases[scores.size() - 1].answers.size(),
               DataError, place, ": expected a score for each answer, found another number");
  }
  XKDE_CHECK(scores.size() == cases.size(), DataError, file.string(), ": expected ", cases.size(),
             " lines, found ", scores.size());
  return scores;
}

/// Whether each row's pairs are dev pairs. The order in which protocol 5.3 numbers its groups is
/// random; here the seed decides it.
std::vector<bool> split_rows(const std::vector<SampleRow>& rows, int64_t seed) {
  RandomStream random(static_cast<uint64_t>(seed), "dev_split");
  const std::vector<int64_t> order = random.permutation(std::ssize(rows));
  std::vector<std::string> prompts;
  for (const int64_t index : order) prompts.push_back(rows[static_cast<size_t>(index)].prompt);
  const std::vector<bool> shuffled = choose_dev(prompts);
  std::vector<bool> is_dev(rows.size());
  for (size_t i = 0; i < order.size(); ++i) is_dev[static_cast<size_t>(order[i])] = shuffled[i];
  return is_dev;
}

// NOLINTNEXTLINE(readability-function-size): what a ranking found and where it goes
void write_pairs(const std::vector<SampleRow>& rows,
                 const std::vector<std::vector<std::string>>& texts, const Scores& scores,
                 RankCounts counts, const std::filesystem::path& samples,
                 const std::filesystem::path& folder, int64_t seed) {
  const std::vector<bool> is_dev = split_rows(rows, seed);
  std::string lines;
  int64_t train = 0, dev = 0;
  double sum = 0.0;
  int64_t scored = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    std::vector<ScoredAnswer> answers;
    for (size_t a = 0; a < texts[i].size(); ++a) {
      answers.push_back({texts[i][a], scores[i][a]});
      sum += scores[i][a];
      ++scored;
    }
    const std::vector<PreferencePair> pairs = make_pairs(rows[i].gold, answers, counts.dropped);
    if (pairs.empty()) ++counts.prompts_without_pairs;
    for (const PreferencePair& pair : pairs) {
      lines += to_json(PairRow{rows[i].id, rows[i].prompt, pair.chosen, pair.rejected,
                               pair.score_chosen, pair.score_rejected, is_dev[i]})
                   .dump() +
               "\n";
      ++(is_dev[i] ? dev : train);
    }
  }
  const std::string left_out = concat(
      count_of(counts.answers_equal_to_gold, "answer"), " equal to the gold one, ",
      counts.dropped.repeated_answers, " repeated, ", count_of(counts.dropped.equal_scores, "pair"),
      " with equal scores, ", counts.dropped.equal_texts, " with equal texts, ",
      count_of(counts.prompts_without_answers, "prompt"), " without answers");
  XKDE_CHECK(train + dev > 0, DataError, samples.string(),
             ": expected at least one preference pair, found none (left out: ", left_out, ")");
  write_file_atomically(folder / kPairsFile, lines);
  const Json statistics{
      {"prompts", rows.size()},
      {"scored_answers", scored},
      {"mean_score", scored > 0 ? Json(sum / static_cast<double>(scored)) : Json()},
      {"train_pairs", train},
      {"dev_pairs", dev},
      {"left_out",
       {{"answers_equal_to_gold", counts.answers_equal_to_gold},
        {"repeated_answers", counts.dropped.repeated_answers},
        {"pairs_with_equal_scores", counts.dropped.equal_scores},
        {"pairs_with_equal_texts", counts.dropped.equal_texts},
        {"prompts_whose_answers_are_all_gold", counts.prompts_all_gold},
        {"prompts_without_answers", counts.prompts_without_answers},
        {"prompts_without_pairs", counts.prompts_without_pairs}}}};
  write_file_atomically(folder / kStatisticsFile, statistics.dump(1) + "\n");
  log::info(concat("rank: ", train, " training pairs, ", dev, " dev pairs of ", rows.size(),
                   " prompts; left out: ", left_out));
}

}  // namespace

void check_rank(const RankStage& stage, const SurveyInputs& /*inputs*/) {
  if (stage.uses_own_samples()) return;
  const std::vector<SampleRow> rows = read_samples(stage.samples);
  RankCounts counts;
  std::vector<std::vector<std::string>> texts;
  for (const SampleRow& row : rows) texts.push_back(answers_to_score(row, stage, counts));
  cases_of(rows, texts, stage);
  const bool any = std::ranges::any_of(texts, [](const auto& list) { return !list.empty(); });
  XKDE_CHECK(any, DataError, stage.samples,
             ": expected an answer other than the gold one, found none in ", rows.size(),
             " samples");
}

void run_rank(const RankStage& stage, const std::filesystem::path& folder, RunContext& context) {
  const std::filesystem::path file = stage.uses_own_samples()
                                         ? context.artifacts().file(ArtifactKind::kSamples)
                                         : std::filesystem::path(stage.samples);
  const FileOrigin origin = stage.uses_own_samples() ? FileOrigin::kOwn : FileOrigin::kInput;
  const std::vector<SampleRow> rows = read_as(origin, [&] { return read_samples(file); });
  RankCounts counts;
  std::vector<std::vector<std::string>> texts;
  for (const SampleRow& row : rows) texts.push_back(answers_to_score(row, stage, counts));
  const std::vector<RewardCase> cases = cases_of(rows, texts, stage);
  score_on_ranks(rows, cases, *make_reward(stage), folder, context);
  dist::agree_on(context.comm(), [&] {
    if (!context.is_root()) return;
    const Scores scores = read_scores(folder / kScoresFile, cases);
    write_pairs(rows, texts, scores, counts, file, folder, context.recipe().seed);
  });
}

}  // namespace xkde::recipe
