#include "stages/evaluate/answers.h"

#include <algorithm>
#include <fstream>
#include <functional>
#include <string_view>
#include <utility>

#include <ATen/ATen.h>

#include "core/base/common_prefix.h"
#include "core/base/error.h"
#include "core/base/stopwatch.h"
#include "core/data/sft_sample.h"
#include "core/evaluate/scored_sequence.h"
#include "core/model/token_tree.h"
#include "stages/run/chunk_log.h"
#include "stages/run/work_queue.h"

namespace xkde::recipe {
namespace {

/// Bytes of text for one token of a batch, about: what a chunk is measured by before it is
/// tokenised.
constexpr size_t kBytesPerToken = 3;
/// Answers generated in one chunk.
constexpr size_t kGeneratedPerChunk = 64;
/// Protocol 6.5.
constexpr int64_t kFluencyLength = 100;
constexpr int64_t kFluencyTopK = 5;

enum class TaskKind { kReferences, kPrompts, kFree, kFluency };

const char* name_of(TaskKind kind) {
  switch (kind) {
    case TaskKind::kReferences:
      return "references";
    case TaskKind::kPrompts:
      return "prompts";
    case TaskKind::kFree:
      return "free_running";
    case TaskKind::kFluency:
      return "fluency";
  }
  throw InternalError("evaluation task: not one of the enumerators");
}

/// A chunk: neighbours of one of the questionnaire's lists.
struct Task {
  TaskKind kind{};
  size_t first = 0;
  size_t count = 0;
};

/// What a chunk took, for its line in metrics.jsonl.
struct Counts {
  int64_t edits = 0;
  int64_t tokens = 0;    ///< of the sequences, laid out one by one
  int64_t computed = 0;  ///< rows that really went through the model
};

/// Cuts a sorted list of prompts where the texts, common beginnings counted once, come to about
/// `budget` bytes.
void cut(std::vector<Task>& tasks, TaskKind kind, size_t size, size_t budget,
         const std::function<const EvalPrompt&(size_t)>& prompt_at) {
  size_t first = 0, bytes = 0;
  for (size_t i = 0; i < size; ++i) {
    const EvalPrompt& prompt = prompt_at(i);
    size_t own = prompt.user.size() + prompt.target.size();
    if (i > first) own -= static_cast<size_t>(common_prefix(prompt.user, prompt_at(i - 1).user));
    if (i > first && bytes + own > budget) {
      tasks.push_back({kind, first, i - first});
      first = i;
      bytes = 0;
      own = prompt.user.size() + prompt.target.size();
    }
    bytes += own;
  }
  if (first < size) tasks.push_back({kind, first, size - first});
}

void cut_evenly(std::vector<Task>& tasks, TaskKind kind, size_t size) {
  for (size_t first = 0; first < size; first += kGeneratedPerChunk)
    tasks.push_back({kind, first, std::min(kGeneratedPerChunk, size - first)});
}

class Asker {
 public:
  Asker(const EvaluateStage& stage, const EvalQuestionnaire& asked, RunContext& context)
      : stage_(stage),
        asked_(asked),
        context_(context),
        chat_template_(
            stage.chat_template == "model"
                ? context.chat_template()
                : ChatTemplate::select(stage.chat_template, context.pretrained().chat_template)),
        fluency_template_(ChatTemplate::select("chatml_no_system", "")) {
    const auto budget = static_cast<size_t>(stage.max_tokens_per_batch) * kBytesPerToken;
    if (asks_references())
      cut(tasks_, TaskKind::kReferences, asked.references.size(), budget,
          [this](size_t i) -> const EvalPrompt& { return reference(i); });
    num_reference_tasks_ = std::ssize(tasks_);
    cut(tasks_, TaskKind::kPrompts, asked.prompts.size(), budget,
        [this](size_t i) -> const EvalPrompt& { return asked_.prompts[i]; });
    cut_evenly(tasks_, TaskKind::kFree, asked.free_prompts.size());
    cut_evenly(tasks_, TaskKind::kFluency, asked.fluency_prompts.size());
  }

  void run(const std::filesystem::path& folder) {
    std::vector<int64_t> rows;
    for (const Task& task : tasks_) rows.push_back(static_cast<int64_t>(task.count));
    ChunkLog log(folder / kAnswersFile, std::move(rows), context_.comm());
    const auto total = std::ssize(tasks_);
    WorkQueue queue("evaluate", total, context_.comm(), &log);
    bool references_left = false;
    for (int64_t i = 0; i < num_reference_tasks_; ++i) references_left |= !log.is_done(i);
    if (references_left) {
      context_.with_pretrained_weights([&] { run_tasks(0, num_reference_tasks_, log, queue); });
    }
    run_tasks(num_reference_tasks_, total, log, queue);
    log.finish();
  }

  EvalAnswers read(const std::filesystem::path& file) const {
    EvalAnswers answers;
    std::ifstream lines(file);
    std::string line;
    for (const Task& task : tasks_) {
      for (size_t i = 0; i < task.count; ++i) {
        XKDE_CHECK(std::getline(lines, line), InternalError, file.string(),
                   ": expected more lines than it has");
        const Json row = parse_json(line, file.string());
        if (task.kind == TaskKind::kFree || task.kind == TaskKind::kFluency) {
          auto& texts = task.kind == TaskKind::kFree ? answers.free : answers.fluency;
          texts.push_back(row.at("text").get<std::string>());
        } else {
          auto& scored = task.kind == TaskKind::kPrompts ? answers.prompts : answers.references;
          scored.push_back({row.at("predicted_ids").get<std::vector<int64_t>>(),
                            row.at("target_ids").get<std::vector<int64_t>>()});
        }
      }
    }
    return answers;
  }

 private:
  bool asks_references() const {
    return stage_.base_locality && context_.artifacts().weights_changed();
  }
  const EvalPrompt& reference(size_t i) const { return asked_.prompts[asked_.references[i]]; }

  void run_tasks(int64_t begin, int64_t end, ChunkLog& log, WorkQueue& queue) {
    context_.model().make_resident();
    queue.run(begin, end, "answers", [&](int64_t next) {
      const Stopwatch watch;
      const Task& task = tasks_[static_cast<size_t>(next)];
      Counts counts;
      const std::vector<Json> rows = answer(task, counts);
      const double seconds = watch.seconds();
      log.append(next, rows,
                 {{"chunk", next},
                  {"rank", context_.comm().rank()},
                  {"kind", name_of(task.kind)},
                  {"records", counts.edits},
                  {"prompts", task.count},
                  {"tokens", counts.tokens},
                  {"computed_tokens", counts.computed},
                  {"seconds", seconds}});
      return tokens_per_second(counts.tokens, seconds);
    });
  }

  std::vector<Json> answer(const Task& task, Counts& counts) {
    switch (task.kind) {
      case TaskKind::kReferences:
      case TaskKind::kPrompts:
        return score(task, counts);
      case TaskKind::kFree:
        return run_free(task, counts);
      case TaskKind::kFluency:
        return continue_texts(task, counts);
    }
    throw InternalError("evaluation task: not one of the enumerators");
  }

  ScoredSequence sequence_of(const EvalPrompt& prompt) const {
    if (stage_.scoring == "easyedit")
      return scored_in_context(context_.tokenizer(), prompt.user, prompt.target);
    return scored_sequence(context_.tokenizer(), chat_template_, prompt.user, prompt.target);
  }

  std::vector<Json> score(const Task& task, Counts& counts) {
    const int64_t longest = context_.decoder().config().max_position_embeddings;
    std::vector<ScoredAnswer> answers(task.count);
    std::vector<TreeSequence> sequences;
    std::vector<size_t> places;
    for (size_t i = 0; i < task.count; ++i) {
      const bool is_reference = task.kind == TaskKind::kReferences;
      const EvalPrompt& prompt =
          is_reference ? reference(task.first + i) : asked_.prompts[task.first + i];
      if (!is_reference) counts.edits += prompt.edits;
      ScoredSequence scored = sequence_of(prompt);
      if (std::ssize(scored.ids) > longest) continue;
      counts.tokens += std::ssize(scored.ids);
      TreeSequence sequence{std::move(scored.ids), {}};
      for (size_t t = 0; t < scored.target_ids.size(); ++t) {
        sequence.labels.push_back(
            {scored.first_prediction + static_cast<int64_t>(t), scored.target_ids[t], 0.0});
      }
      answers[i].target_ids = std::move(scored.target_ids);
      sequences.push_back(std::move(sequence));
      places.push_back(i);
    }
    const PackOptions options{.share_prefixes = stage_.token_tree,
                              .max_tokens = stage_.max_tokens_per_batch,
                              .max_sequences = 0,
                              .device = context_.device()};
    for (const PackedBatch& batch : pack_sequences(sequences, options)) {
      const at::Tensor ids = context_.model().predict(batch).cpu();
      const int64_t* values = ids.const_data_ptr<int64_t>();
      // Labels of one sequence stand together and in order.
      for (size_t i = 0; i < batch.label_sequence.size(); ++i) {
        answers[places[static_cast<size_t>(batch.label_sequence[i])]].predicted_ids.push_back(
            values[i]);
      }
      counts.computed += batch.num_tokens();
    }
    std::vector<Json> rows;
    for (const ScoredAnswer& answer : answers)
      rows.push_back({{"predicted_ids", answer.predicted_ids}, {"target_ids", answer.target_ids}});
    return rows;
  }

  std::vector<int64_t> prompt_ids(const ChatTemplate& chat, const std::string& user) const {
    const bool is_plain = chat.format() == ChatTemplate::Format::kPlain;
    return is_plain ? context_.tokenizer().encode(user, /*add_special_tokens=*/true)
                    : encode_prompt(context_.tokenizer(), chat, chat.prompt(user));
  }

  /// What the model says by itself, most likely token by token.
  std::vector<Json> run_free(const Task& task, Counts& counts) {
    std::vector<std::vector<int64_t>> prompts;
    for (size_t i = 0; i < task.count; ++i)
      prompts.push_back(prompt_ids(chat_template_, asked_.free_prompts[task.first + i]));
    const GenerateOptions options{
        .sampling = {.temperature = 0.0},
        .max_new_tokens = stage_.max_new_tokens,
        .stop_ids = context_.stop_ids(),
        .stop_texts = chat_template_.format() == ChatTemplate::Format::kPlain
                          ? std::vector<std::string>{"\n"}
                          : std::vector<std::string>{}};
    std::vector<Json> rows(task.count, Json{{"text", ""}});
    generate(prompts, task.first, options, counts,
             [&rows](size_t i, const GeneratedAnswer& answer) { rows[i]["text"] = answer.text; });
    return rows;
  }

  std::vector<Json> continue_texts(const Task& task, Counts& counts) {
    // Protocol 6.5: ChatML models get a turn without system text, others the bare question.
    const bool is_chatml = chat_template_.format() == ChatTemplate::Format::kChatMl;
    const ChatTemplate plain = ChatTemplate::select("plain", "");
    std::vector<std::vector<int64_t>> prompts;
    std::vector<Json> rows;
    for (size_t i = 0; i < task.count; ++i) {
      const std::string& text = asked_.fluency_prompts[task.first + i];
      prompts.push_back(prompt_ids(is_chatml ? fluency_template_ : plain, text));
      rows.push_back({{"text", context_.tokenizer().decode(prompts.back())}});
    }
    const GenerateOptions options{.sampling = {.temperature = 1.0, .top_k = kFluencyTopK},
                                  .max_new_tokens = kFluencyLength,
                                  .max_length = kFluencyLength,
                                  .stop_ids = {},
                                  .stop_texts = {}};
    generate(prompts, task.first, options, counts, [&](size_t i, const GeneratedAnswer& answer) {
      std::vector<int64_t> ids = prompts[i];
      ids.insert(ids.end(), answer.ids.begin(), answer.ids.end());
      rows[i]["text"] = context_.tokenizer().decode(ids);
    });
    return rows;
  }

  /// Prompts without a place for an answer get none.
  void generate(const std::vector<std::vector<int64_t>>& prompts, size_t first,
                const GenerateOptions& options, Counts& counts,
                const std::function<void(size_t, const GeneratedAnswer&)>& take) {
    const int64_t context = context_.decoder().config().max_position_embeddings;
    const int64_t longest =
        options.max_length > 0 ? std::min(options.max_length, context) : context;
    std::vector<GeneratePrompt> asked;
    std::vector<size_t> places;
    for (size_t i = 0; i < prompts.size(); ++i) {
      if (prompts[i].empty() || std::ssize(prompts[i]) >= longest) continue;
      asked.push_back({prompts[i], first + i});
      places.push_back(i);
    }
    Generator generator = context_.generator(options);
    const auto answers = generator.generate(asked, static_cast<uint64_t>(context_.recipe().seed));
    for (size_t i = 0; i < answers.size(); ++i) take(places[i], answers[i].front());
    counts.tokens += generator.counts().prompt_tokens + generator.counts().new_tokens;
    counts.computed += generator.counts().prefilled_tokens + generator.counts().new_tokens;
  }

  const EvaluateStage& stage_;
  const EvalQuestionnaire& asked_;
  RunContext& context_;
  ChatTemplate chat_template_, fluency_template_;
  std::vector<Task> tasks_;  ///< those of the model before training first
  int64_t num_reference_tasks_ = 0;
};

}  // namespace

EvalAnswers ask_model(const EvaluateStage& stage, const EvalQuestionnaire& asked,
                      const std::filesystem::path& folder, RunContext& context) {
  Asker asker(stage, asked, context);
  asker.run(folder);
  return context.is_root() ? asker.read(folder / kAnswersFile) : EvalAnswers{};
}

}  // namespace xkde::recipe
