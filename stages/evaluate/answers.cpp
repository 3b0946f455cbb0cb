#include "stages/evaluate/answers.h"

#include <algorithm>
#include <functional>
#include <span>
#include <utility>

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "core/base/common_prefix.h"
#include "core/base/error.h"
#include "core/base/stopwatch.h"
#include "core/data/sft_sample.h"
#include "core/evaluate/eval_chunks.h"
#include "core/loss/token_loss.h"
#include "core/model/edit_lookup.h"
#include "core/model/token_tree.h"
#include "distributed/comm/typed_gather.h"
#include "stages/evaluate/edited_model.h"
#include "stages/evaluate/weight_plan.h"
#include "stages/run/chunk_log.h"
#include "stages/run/work_queue.h"

namespace xkde::recipe {
namespace {

/// Protocol 6.5.
constexpr int64_t kFluencyLength = 100;
constexpr int64_t kFluencyTopK = 5;

/// What a chunk took, for its line in metrics.jsonl.
struct Counts {
  int64_t edits = 0;
  int64_t tokens = 0;    ///< of the sequences, laid out one by one
  int64_t computed = 0;  ///< rows that really went through the model
};

class AnswerRunner {
 public:
  AnswerRunner(const EvaluateStage& stage, const EvalInputs& inputs, const EvalQuestionnaire& asked,
               const ScoredPrompts& scored, RunContext& context)
      : stage_(stage),
        inputs_(inputs),
        asked_(asked),
        scored_(scored),
        context_(context),
        chat_template_(scored.chat_template()),
        fluency_template_(ChatTemplate::select("chatml_no_system", "")),
        plain_(ChatTemplate::select("plain", "")) {
    const bool asks_references = stage.base_locality && context.artifacts().weights_changed();
    chunks_ = eval_chunks(asked, count_tokens(asks_references), stage.max_tokens_per_batch);
    num_reference_chunks_ = std::count_if(chunks_.begin(), chunks_.end(), [](const EvalChunk& c) {
      return c.kind == ChunkKind::kReferences || c.kind == ChunkKind::kFreeReferences;
    });
  }

  void run(const std::filesystem::path& folder) {
    std::vector<int64_t> rows;
    for (const EvalChunk& chunk : chunks_) rows.push_back(static_cast<int64_t>(chunk.count));
    ChunkLog log(folder / kAnswersFile, std::move(rows), context_.comm(), digest_of(asked_));
    const auto total = std::ssize(chunks_);
    WorkQueue queue("evaluate", total, context_.comm(), log);
    bool references_left = false;
    for (int64_t i = 0; i < num_reference_chunks_; ++i) references_left |= !log.is_done(i);
    if (references_left) {
      context_.with_pretrained_weights([&] { run_chunks(0, num_reference_chunks_, log, queue); });
    }
    if (stage_.method->editor()) {
      run_edited(log, queue, folder);
    } else {
      run_chunks(num_reference_chunks_, total, log, queue);
    }
    log.finish();
  }

  const EditingNotes& editing() const { return editing_; }

  EvalAnswers read(const std::filesystem::path& folder) const {
    return read_answers(folder / kAnswersFile, chunks_);
  }

 private:
  /// Each rank counts a part of a list, whose first prompt may share with the last one before it.
  std::vector<PromptTokens> count_tokens(std::span<const size_t> prompts) const {
    dist::Communicator& comm = context_.comm();
    const auto rank = static_cast<size_t>(comm.rank());
    const auto ranks = static_cast<size_t>(comm.size());
    const size_t begin = prompts.size() * rank / ranks;
    const size_t end = prompts.size() * (rank + 1) / ranks;
    const size_t before = begin < end && begin > 0 ? 1 : 0;
    std::vector<PromptTokens> own =
        scored_.tokens(prompts.subspan(begin - before, end - begin + before));
    own.erase(own.begin(), own.begin() + static_cast<std::ptrdiff_t>(before));
    std::vector<PromptTokens> all;
    for (const std::vector<PromptTokens>& part : dist::gather(comm, own))
      all.insert(all.end(), part.begin(), part.end());
    if (!stage_.token_tree) {
      for (PromptTokens& one : all) one.shared = 0;
    }
    return all;
  }

  EvalTokens count_tokens(bool asks_references) const {
    return {count_tokens(scored_.numbers()),
            asks_references ? count_tokens(asked_.references) : std::vector<PromptTokens>()};
  }

  void run_chunks(int64_t begin, int64_t end, ChunkLog& log, WorkQueue& queue) {
    context_.model().make_resident();
    queue.run(begin, end, "answers", [&](int64_t next) { return run_chunk(next, log); });
  }

  std::string run_chunk(int64_t next, ChunkLog& log) {
    const Stopwatch watch;
    const EvalChunk& chunk = chunks_[static_cast<size_t>(next)];
    Counts counts;
    const std::vector<Json> rows = answer(chunk, counts);
    const double seconds = watch.seconds();
    log.append(next, rows,
               {{"chunk", next},
                {"rank", context_.comm().rank()},
                {"kind", name_of(kChunkKindNames, chunk.kind)},
                {"records", counts.edits},
                {"prompts", chunk.count},
                {"tokens", counts.tokens},
                {"computed_tokens", counts.computed},
                {"seconds", seconds}});
    return tokens_per_second(counts.tokens, seconds);
  }

  /// The chunks of the weights as trained, then those of edits. What is known of a moment's chunks
  /// is skipped before its edits are written.
  void run_edited(ChunkLog& log, WorkQueue& queue, const std::filesystem::path& folder) {
    EditedModel edited(stage_, inputs_, asked_.edited, context_);
    std::vector<std::vector<int64_t>> as_trained, alone;
    std::vector<WeightGroup> together;
    for (WeightGroup& group : weight_groups(chunks_, num_reference_chunks_, asked_)) {
      std::erase_if(group.chunks, [&log](int64_t chunk) { return log.is_done(chunk); });
      if (group.chunks.empty()) continue;
      if (group.weights == 0) {
        for (const int64_t chunk : group.chunks) as_trained.push_back({chunk});
      } else if (const EditedWeights& edits = asked_.edited[group.weights - 1];
                 edits.end - edits.begin == 1) {
        alone.push_back(std::move(group.chunks));
      } else {
        together.push_back(std::move(group));
      }
    }
    RankTeam team(context_.comm(), context_.device());
    if (!alone.empty() || !together.empty()) edited.prepare(folder);
    queue.run(as_trained, "answers", [&](int64_t next) { return run_chunk(next, log); });
    lookup_ = edited.lookup();
    queue.run(alone, "answers", [&](int64_t next) {
      Solo solo;
      edited.install(edits_of(next), solo);
      return run_chunk(next, log);
    });
    // Each rank has the edits that it wrote alone; a team begins from the same weights.
    edited.take_back();
    edited.keep_streams(folder);
    for (const WeightGroup& group : together) {
      edited.install(edits_of(group.chunks.front()), team);
      std::vector<std::vector<int64_t>> bundles;
      for (const int64_t chunk : group.chunks) bundles.push_back({chunk});
      queue.run(bundles, "answers", [&](int64_t next) { return run_chunk(next, log); });
    }
    edited.take_back();
    lookup_ = nullptr;
    note(edited);
    if (!context_.is_root()) return;
    for (const char* name : {kPreparedFile, kStreamFile}) std::filesystem::remove(folder / name);
  }

  const EditedWeights& edits_of(int64_t chunk) const {
    return asked_.edited[chunks_[static_cast<size_t>(chunk)].weights - 1];
  }

  void note(const EditedModel& edited) {
    const std::vector<double> seconds = dist::gather(context_.comm(), edited.seconds());
    for (const double one : seconds) editing_.seconds += one / static_cast<double>(seconds.size());
    editing_.state_bytes = dist::sum_of_ranks(context_.comm(), edited.state_bytes());
    editing_.statistics = edited.statistics();
  }

  std::vector<Json> answer(const EvalChunk& chunk, Counts& counts) {
    switch (chunk.kind) {
      case ChunkKind::kReferences:
      case ChunkKind::kPrompts:
        return score(chunk, counts);
      case ChunkKind::kFreeReferences:
      case ChunkKind::kFree:
        return run_free(chunk, counts);
      case ChunkKind::kFluency:
        return continue_texts(chunk, counts);
    }
    throw InternalError("evaluation chunk: not one of the enumerators");
  }

  std::vector<Json> score(const EvalChunk& chunk, Counts& counts) {
    const int64_t longest = context_.decoder().config().context_length();
    std::vector<TargetAnswer> answers(chunk.count);
    std::vector<TreeSequence> sequences;
    std::vector<size_t> places;
    std::vector<int64_t> prompt_lengths;
    for (size_t i = 0; i < chunk.count; ++i) {
      const bool is_reference = chunk.kind == ChunkKind::kReferences;
      const size_t prompt = is_reference ? asked_.references[chunk.first + i] : chunk.first + i;
      if (!is_reference) counts.edits += asked_.prompts[prompt].edits;
      ScoredSequence scored = scored_.at(prompt);
      if (std::ssize(scored.ids) > longest) continue;
      counts.tokens += std::ssize(scored.ids);
      if (lookup_ != nullptr) prompt_lengths.push_back(scored_.prompt_length(prompt, scored));
      TreeSequence sequence{std::move(scored.ids), {}};
      for (size_t t = 0; t < scored.target_ids.size(); ++t) {
        sequence.labels.push_back(
            {scored.first_prediction + static_cast<int64_t>(t), scored.target_ids[t], 0.0});
      }
      answers[i].target_ids = std::move(scored.target_ids);
      sequences.push_back(std::move(sequence));
      places.push_back(i);
    }
    const PackOptions options{.share_prefixes = stage_.token_tree && lookup_ == nullptr,
                              .max_tokens = stage_.max_tokens_per_batch,
                              .max_sequences = 0,
                              .device = context_.device()};
    for (const PackedBatch& batch : pack_sequences(sequences, options)) {
      const at::Tensor ids = predict(batch, prompt_lengths).cpu();
      const int64_t* values = ids.const_data_ptr<int64_t>();
      // Labels of one sequence stand together and in order.
      for (size_t i = 0; i < batch.label_sequence.size(); ++i) {
        const size_t place = places[static_cast<size_t>(batch.label_sequence[i])];
        XKDE_CHECK(values[i] != kUnsoundRow, NumericError, "evaluate: prompt ", chunk.first + place,
                   " of the ", name_of(kChunkKindNames, chunk.kind),
                   ": expected finite logits, found NaN or infinity");
        answers[place].predicted_ids.push_back(values[i]);
      }
      counts.computed += batch.num_tokens();
    }
    std::vector<Json> rows;
    for (const TargetAnswer& answer : answers) rows.push_back(answer_json(answer));
    return rows;
  }

  /// The likeliest tokens at a batch's labels; `prompt_lengths` of the sequences that were packed.
  at::Tensor predict(const PackedBatch& batch, std::span<const int64_t> prompt_lengths) const {
    if (lookup_ == nullptr) return context_.model().predict(batch);
    const PromptProducts products(*lookup_, lookup_rows(batch, prompt_lengths));
    return context_.model().predict(batch, {lookup_->layer(), &products});
  }

  std::vector<int64_t> prompt_ids(const ChatTemplate& chat, const std::string& user) const {
    const bool is_plain = chat.format() == ChatTemplate::Format::kPlain;
    return is_plain ? context_.tokenizer().encode(user, /*add_special_tokens=*/true)
                    : encode_prompt(context_.tokenizer(), chat, chat.prompt(user));
  }

  const FreePrompt& free_prompt(const EvalChunk& chunk, size_t i) const {
    const size_t place = chunk.first + i;
    return asked_
        .free_prompts[chunk.kind == ChunkKind::kFree ? place : asked_.free_references[place]];
  }

  /// The format that a context's texts stand in.
  const ChatTemplate& format_of(FreeContext context) const {
    const bool is_chat = context == FreeContext::kExact || context == FreeContext::kChat;
    return is_chat ? chat_template_ : plain_;
  }

  GenerateOptions free_options(FreeContext context) const {
    const bool is_plain = format_of(context).format() == ChatTemplate::Format::kPlain;
    const bool is_exact = context == FreeContext::kExact;
    const bool cuts_lines = is_plain && (is_exact || stage_.free_answers->stop_at_newline);
    return {
        .sampling = {.temperature = 0.0},
        .max_new_tokens = is_exact ? stage_.max_new_tokens : stage_.free_answers->max_new_tokens,
        .stop_ids = context_.stop_ids(),
        .stop_texts = cuts_lines ? std::vector<std::string>{"\n"} : std::vector<std::string>{}};
  }

  /// What the model says by itself, most likely token by token.
  std::vector<Json> run_free(const EvalChunk& chunk, Counts& counts) {
    const FreeContext context = free_prompt(chunk, 0).context;
    std::vector<std::vector<int64_t>> prompts;
    for (size_t i = 0; i < chunk.count; ++i)
      prompts.push_back(prompt_ids(format_of(context), free_prompt(chunk, i).text.user));
    std::vector<Json> rows(chunk.count, answer_json(FreeAnswer{}));
    generate(prompts, chunk.first, free_options(context), counts,
             [&rows](size_t i, const GeneratedAnswer& answer) {
               rows[i] = answer_json(
                   FreeAnswer{answer.text, answer.finish_reason == FinishReason::kStop});
             });
    return rows;
  }

  std::vector<Json> continue_texts(const EvalChunk& chunk, Counts& counts) {
    // Protocol 6.5: ChatML models get a turn without system text, others the bare question.
    const bool is_chatml = chat_template_.format() == ChatTemplate::Format::kChatMl;
    std::vector<std::vector<int64_t>> prompts;
    std::vector<Json> rows;
    for (size_t i = 0; i < chunk.count; ++i) {
      const std::string& text = asked_.fluency_prompts[chunk.first + i].user;
      prompts.push_back(prompt_ids(is_chatml ? fluency_template_ : plain_, text));
      rows.push_back(answer_json(context_.tokenizer().decode(prompts.back())));
    }
    const GenerateOptions options{.sampling = {.temperature = 1.0, .top_k = kFluencyTopK},
                                  .max_new_tokens = kFluencyLength,
                                  .max_length = kFluencyLength,
                                  .stop_ids = {},
                                  .stop_texts = {}};
    generate(prompts, chunk.first, options, counts, [&](size_t i, const GeneratedAnswer& answer) {
      std::vector<int64_t> ids = prompts[i];
      ids.insert(ids.end(), answer.ids.begin(), answer.ids.end());
      rows[i] = answer_json(context_.tokenizer().decode(ids));
    });
    return rows;
  }

  /// Prompts without a place for an answer get none.
  void generate(const std::vector<std::vector<int64_t>>& prompts, size_t first,
                GenerateOptions options, Counts& counts,
                const std::function<void(size_t, const GeneratedAnswer&)>& take) {
    const int64_t context = context_.decoder().config().context_length();
    const int64_t longest =
        options.max_length > 0 ? std::min(options.max_length, context) : context;
    std::vector<GeneratePrompt> asked;
    std::vector<size_t> places;
    for (size_t i = 0; i < prompts.size(); ++i) {
      if (prompts[i].empty() || std::ssize(prompts[i]) >= longest) continue;
      asked.push_back({prompts[i], first + i});
      places.push_back(i);
    }
    options.lookup = lookup_;
    Generator generator = context_.generator(options);
    const auto answers = generator.generate(asked, static_cast<uint64_t>(context_.recipe().seed));
    for (size_t i = 0; i < answers.size(); ++i) take(places[i], answers[i].front());
    counts.tokens += generator.counts().prompt_tokens + generator.counts().new_tokens;
    counts.computed += generator.counts().prefilled_tokens + generator.counts().new_tokens;
  }

  const EvaluateStage& stage_;
  const EvalInputs& inputs_;
  const EvalQuestionnaire& asked_;
  const ScoredPrompts& scored_;
  RunContext& context_;
  ChatTemplate chat_template_, fluency_template_, plain_;
  std::vector<EvalChunk> chunks_;  ///< those of the model before training come first
  int64_t num_reference_chunks_ = 0;
  const EditLookup* lookup_ = nullptr;  ///< of the edits that questions are asked with
  EditingNotes editing_;
};

}  // namespace

AskedModel ask_model(const EvaluateStage& stage, const EvalInputs& inputs,
                     const EvalQuestionnaire& asked, const ScoredPrompts& scored,
                     const std::filesystem::path& folder, RunContext& context) {
  AnswerRunner runner(stage, inputs, asked, scored, context);
  runner.run(folder);
  return {context.is_root() ? runner.read(folder) : EvalAnswers{}, runner.editing()};
}

}  // namespace xkde::recipe
