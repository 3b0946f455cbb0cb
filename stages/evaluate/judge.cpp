#include "stages/evaluate/judge.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/stopwatch.h"
#include "core/evaluate/judge/verdict_cache.h"
#include "core/evaluate/scorer_agreement.h"
#include "core/io/digest_cache.h"
#include "core/io/file_reader.h"
#include "core/text/plural.h"
#include "distributed/comm/agreement.h"
#include "distributed/comm/typed_gather.h"
#include "stages/evaluate/judge_model.h"
#include "stages/run/chunk_log.h"
#include "stages/run/run_folder.h"
#include "stages/run/work_queue.h"

namespace xkde::recipe {
namespace {

constexpr const char* kVerdictsFile = "verdicts.jsonl";
/// Bytes of text for one token of a batch, about, and tokens of a prompt behind its answer.
constexpr size_t kTextPerToken = 3;
constexpr size_t kTokensBehindAnswer = 15;

/// Neighbours in the list of questions.
struct VerdictChunk {
  size_t first = 0;
  size_t count = 0;
};

/// Cuts where what differs between neighbours comes to about `max_tokens` tokens.
std::vector<VerdictChunk> verdict_chunks(const std::vector<JudgeQuestion>& questions,
                                         int64_t max_tokens) {
  const size_t budget = static_cast<size_t>(max_tokens) * kTextPerToken;
  std::vector<VerdictChunk> chunks;
  size_t bytes = 0;
  for (size_t i = 0; i < questions.size(); ++i) {
    const JudgeQuestion& one = questions[i];
    size_t own = one.answer.size() + kTokensBehindAnswer * kTextPerToken;
    if (i == 0 || one.question != questions[i - 1].question) own += one.question.size();
    if (i == 0 || one.right != questions[i - 1].right) {
      for (const std::string& right : one.right) own += right.size();
    }
    bytes += own;
    if (chunks.empty() || bytes > budget) {
      chunks.push_back({i, 0});
      bytes = own;
    }
    ++chunks.back().count;
  }
  return chunks;
}

Json question_json(const JudgeQuestion& asked) {
  return {{"question", asked.question}, {"right", asked.right}, {"answer", asked.answer}};
}

JudgeQuestion question_of(const Json& json) {
  return {json.at("question").get<std::string>(), json.at("right").get<std::vector<std::string>>(),
          json.at("answer").get<std::string>()};
}

/// A line of verdicts.jsonl.
Json line_of(const JudgeQuestion& asked, const std::optional<JudgeVerdict>& verdict) {
  Json line = question_json(asked);
  line["yes"] = verdict ? Json(verdict->yes) : Json(nullptr);
  line["no"] = verdict ? Json(verdict->no) : Json(nullptr);
  return line;
}

class JudgePass {
 public:
  JudgePass(const JudgeOptions& options, RunContext& context)
      : options_(options), context_(context), judge_(options, context.comm(), context.options()) {}

  /// `asked`: of rank 0, sorted, each once. Returns all verdicts there. Collective.
  JudgeVerdicts run(std::vector<JudgeQuestion> asked, const std::filesystem::path& folder) {
    questions_ = std::move(asked);
    at_root([&] { look_up(); });
    share();
    chunks_ = verdict_chunks(questions_, options_.max_tokens_per_batch);
    std::vector<int64_t> rows;
    for (const VerdictChunk& chunk : chunks_) rows.push_back(static_cast<int64_t>(chunk.count));
    at_root([&] { std::filesystem::create_directories(folder); });
    const std::filesystem::path file = folder / kVerdictsFile;
    ChunkLog log(file, std::move(rows), context_.comm());
    WorkQueue queue("judge", std::ssize(chunks_), context_.comm(), log);
    if (must_ask(log)) {
      context_.weights().release();
      judge_.load();
    }
    queue.run(0, std::ssize(chunks_), "verdicts", [&](int64_t next) { return answer(next, log); });
    log.finish();
    JudgeVerdicts verdicts;
    at_root([&] { verdicts = keep(file); });
    return verdicts;
  }

  const std::string& fingerprint() const noexcept { return fingerprint_; }

 private:
  void at_root(const std::function<void()>& work) {
    dist::agree_on(context_.comm(), [&] {
      if (context_.is_root()) work();
    });
  }

  std::filesystem::path cache_folder() const {
    return options_.cache.empty() ? context_.recipe().output_dir / kVerdictsFolder : options_.cache;
  }

  void look_up() {
    const Recipe& recipe = context_.recipe();
    DigestCache digests(recipe.output_dir / kDigestsFile, {.trust_kept = !recipe.verify_inputs});
    std::vector<std::string> of_files;
    for (const std::filesystem::path& file : judge_.pretrained().files)
      of_files.push_back(digests.digest_of(file));
    fingerprint_ = judge_fingerprint(options_, of_files);
    cache_.emplace(cache_folder(), fingerprint_);
    for (const JudgeQuestion& one : questions_) known_.push_back(cache_->find(one));
    const auto num_known = std::count_if(known_.begin(), known_.end(),
                                         [](const auto& verdict) { return verdict.has_value(); });
    log::info(concat("judge: ", count_of(questions_.size(), "answer"), ", ", num_known,
                     " judged before"));
  }

  /// Tells the other ranks the questions and what is known.
  void share() {
    constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
    std::vector<std::string> texts;
    std::vector<double> values;
    for (size_t i = 0; i < questions_.size(); ++i) {
      texts.push_back(question_json(questions_[i]).dump());
      values.push_back(known_[i] ? known_[i]->yes : kUnknown);
      values.push_back(known_[i] ? known_[i]->no : kUnknown);
    }
    texts = dist::broadcast(context_.comm(), texts);
    values = dist::broadcast(context_.comm(), values);
    if (context_.is_root()) return;
    for (size_t i = 0; i < texts.size(); ++i) {
      questions_.push_back(question_of(parse_json(texts[i], "a question for the judge")));
      known_.emplace_back();
      const double yes = values[2 * i], no = values[2 * i + 1];
      if (yes == yes) known_.back() = JudgeVerdict{yes, no};  // NaN is not itself
    }
  }

  bool must_ask(const ChunkLog& log) const {
    for (size_t i = 0; i < chunks_.size(); ++i) {
      if (log.is_done(static_cast<int64_t>(i))) continue;
      for (size_t j = 0; j < chunks_[i].count; ++j) {
        if (!known_[chunks_[i].first + j]) return true;
      }
    }
    return false;
  }

  std::string answer(int64_t number, ChunkLog& log) {
    const Stopwatch watch;
    const VerdictChunk& chunk = chunks_[static_cast<size_t>(number)];
    std::vector<JudgeQuestion> unknown;
    for (size_t i = chunk.first; i < chunk.first + chunk.count; ++i) {
      if (!known_[i]) unknown.push_back(questions_[i]);
    }
    const JudgeModel::Judged judged =
        unknown.empty() ? JudgeModel::Judged() : judge_.judge(unknown);
    std::vector<Json> lines;
    size_t next = 0;
    for (size_t i = chunk.first; i < chunk.first + chunk.count; ++i)
      lines.push_back(line_of(questions_[i], known_[i] ? known_[i] : judged.verdicts[next++]));
    const double seconds = watch.seconds();
    log.append(number, lines,
               {{"chunk", number},
                {"rank", context_.comm().rank()},
                {"verdicts", chunk.count},
                {"asked", unknown.size()},
                {"tokens", judged.tokens},
                {"computed_tokens", judged.computed},
                {"seconds", seconds}});
    return tokens_per_second(judged.tokens, seconds);
  }

  /// All verdicts, of which the cache gets those that it lacks.
  JudgeVerdicts keep(const std::filesystem::path& file) {
    JudgeVerdicts verdicts;
    std::vector<JudgedQuestion> fresh;
    LineReader lines(file, FileOrigin::kOwn);
    std::string line;
    for (size_t i = 0; i < questions_.size(); ++i) {
      XKDE_CHECK(lines.next(line), InternalError, file.string(),
                 ": expected more lines than it has");
      const Json json = parse_json(line, file.string());
      std::optional<JudgeVerdict> verdict;
      if (!json.at("yes").is_null())
        verdict = JudgeVerdict{json["yes"].get<double>(), json.at("no").get<double>()};
      if (verdict && !known_[i]) fresh.emplace_back(questions_[i], *verdict);
      verdicts.emplace(questions_[i], verdict);
    }
    cache_->add(fresh);
    return verdicts;
  }

  const JudgeOptions& options_;
  RunContext& context_;
  JudgeModel judge_;
  std::string fingerprint_;  // of rank 0, as is the cache
  std::optional<VerdictCache> cache_;
  std::vector<JudgeQuestion> questions_;
  std::vector<std::optional<JudgeVerdict>> known_;
  std::vector<VerdictChunk> chunks_;
};

}  // namespace

Json judge_answers(const EvaluateStage& stage, ScoredEvaluation& scored,
                   const std::filesystem::path& folder, RunContext& context) {
  const JudgeOptions& options = *stage.judge;
  std::vector<LabelledRow> rows;
  if (!options.labelled.empty()) rows = read_labelled_rows(options.labelled);
  std::set<JudgeQuestion> asked;
  if (context.is_root()) {
    asked.insert(scored.to_judge.begin(), scored.to_judge.end());
    for (const LabelledRow& row : rows) asked.insert(row.asked);
  }
  JudgePass pass(options, context);
  const JudgeVerdicts verdicts = pass.run({asked.begin(), asked.end()}, folder / kJudgeFolder);
  if (!context.is_root()) return nullptr;
  take_verdicts(verdicts, scored);
  Json told{{"model", options.model_name_or_path.filename().string()},
            {"model_sha256", pass.fingerprint()},
            {"prompt_version", kJudgePromptVersion},
            {"prompt_sha256", judge_prompt_sha256()},
            {"words", {kJudgeYes, kJudgeNo}},
            {"answers", scored.to_judge.size()}};
  if (!rows.empty()) told["labelled"] = agreement_json(label_agreement(rows, verdicts));
  return told;
}

}  // namespace xkde::recipe
