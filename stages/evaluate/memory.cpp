#include "stages/evaluate/memory.h"

#include <algorithm>
#include <string>
#include <vector>

#include "core/data/language.h"
#include "core/data/sft_sample.h"
#include "core/evaluate/eval_chunks.h"
#include "core/evaluate/eval_questionnaire.h"
#include "core/evaluate/judge/judge_prompt.h"
#include "core/evaluate/judge/labelled_rows.h"
#include "core/evaluate/scored_prompts.h"
#include "core/loss/token_loss.h"
#include "core/model/decoder.h"
#include "distributed/planner/machine_presets.h"
#include "stages/edit/editing_memory.h"
#include "stages/evaluate/questions.h"

namespace xkde::recipe {
namespace {

/// Protocol 6.5.
constexpr int64_t kContinuedTokens = 100;
/// Of a judge's prompt: what all have in common, and behind an answer.
constexpr int64_t kJudgePrompt = 110, kBehindAnswer = 15;
/// Rows of one prefill of a generator.
constexpr int64_t kPrefillRows = 2048;

/// Of one kind, the chunk that has most bytes; null where there is none.
template <typename TextAt>
const EvalChunk* largest_chunk(const std::vector<EvalChunk>& chunks, ChunkKind kind,
                               const TextAt& text_at) {
  size_t most = 0;
  const EvalChunk* largest = nullptr;
  for (const EvalChunk& chunk : chunks) {
    if (chunk.kind != kind) continue;
    size_t bytes = 0;
    for (size_t i = 0; i < chunk.count; ++i) bytes += text_at(chunk.first + i).size();
    if (largest == nullptr || bytes > most) largest = &chunk;
    most = std::max(most, bytes);
  }
  return largest;
}

/// What an evaluation asks its model, by the largest chunk of each kind: targets are scored, then
/// answers are generated.
class AskedOfModel {
 public:
  AskedOfModel(const EvaluateStage& stage, const EvalQuestions& questions,
               const SurveyInputs& inputs)
      : stage_(stage),
        asked_(questions.asked),
        inputs_(inputs),
        chat_(questions.chat_template),
        scored_(stage, questions.edits, asked_, {inputs.model.tokenizer, chat_}),
        chunks_(eval_chunks(asked_, {scored_.tokens(scored_.numbers()), {}},
                            stage.max_tokens_per_batch)) {}

  dist::AskShape scored() const {
    const EvalChunk* chunk = largest_chunk(
        chunks_, ChunkKind::kPrompts,
        [this](size_t i) -> const std::string& { return asked_.prompts[i].text.user; });
    dist::AskShape shape{.passes = std::ssize(chunks_)};
    int64_t rows = 0, longest = 0;
    for (size_t i = 0; chunk != nullptr && i < chunk->count; ++i) {
      const ScoredSequence one = scored_.at(chunk->first + i);
      rows += std::ssize(one.ids);
      shape.logit_rows += std::ssize(one.target_ids);
      longest = std::max<int64_t>(longest, std::ssize(one.ids));
    }
    shape.rows = std::min(rows, std::max(longest, stage_.max_tokens_per_batch));
    shape.logit_rows = std::min(default_chunk_rows(inputs_.place.device), shape.logit_rows);
    return shape;
  }

  dist::AskShape answered() const {
    const EvalChunk* free = largest_chunk(
        chunks_, ChunkKind::kFree,
        [this](size_t i) -> const std::string& { return asked_.free_prompts[i].text.user; });
    const EvalChunk* continued = largest_chunk(
        chunks_, ChunkKind::kFluency,
        [this](size_t i) -> const std::string& { return asked_.fluency_prompts[i].user; });
    dist::AskShape shape{.passes = std::ssize(chunks_)};
    std::vector<int64_t> lengths;
    for (size_t i = 0; free != nullptr && i < free->count; ++i)
      lengths.push_back(free_length(asked_.free_prompts[free->first + i]));
    const int64_t most = stage_.free_answers ? stage_.free_answers->max_new_tokens : 0;
    add_answers(shape, lengths, std::max(most, stage_.max_new_tokens));
    lengths.clear();
    for (size_t i = 0; continued != nullptr && i < continued->count; ++i)
      lengths.push_back(plain_length(asked_.fluency_prompts[continued->first + i].user));
    add_answers(shape, lengths, kContinuedTokens);
    return shape;
  }

 private:
  int64_t plain_length(const std::string& text) const {
    return std::ssize(inputs_.model.tokenizer.encode(text, /*add_special_tokens=*/true));
  }

  /// In the format that the context stands in.
  int64_t free_length(const FreePrompt& prompt) const {
    const bool is_chat =
        prompt.context == FreeContext::kExact || prompt.context == FreeContext::kChat;
    if (!is_chat || chat_.format() == ChatTemplate::Format::kPlain)
      return plain_length(prompt.text.user);
    return std::ssize(
        encode_prompt(inputs_.model.tokenizer, chat_, chat_.prompt(prompt.text.user)));
  }

  /// Answers of at most `new_tokens` to prompts of these lengths, side by side.
  static void add_answers(dist::AskShape& shape, const std::vector<int64_t>& lengths,
                          int64_t new_tokens) {
    int64_t prompts = 0;
    for (const int64_t length : lengths) prompts += length;
    const int64_t count = std::ssize(lengths);
    shape.rows = std::max(shape.rows, std::min(prompts, kPrefillRows));
    shape.logit_rows = std::max(shape.logit_rows, count);
    shape.cached_tokens = std::max(shape.cached_tokens, prompts + count * new_tokens);
  }

  const EvaluateStage& stage_;
  const EvalQuestionnaire& asked_;
  const SurveyInputs& inputs_;
  const ChatTemplate& chat_;
  ScoredPrompts scored_;
  std::vector<EvalChunk> chunks_;
};

dist::AskMemory judge_memory(const EvaluateStage& stage, const EvalQuestionnaire& asked,
                             const dist::EngineOptions& engine) {
  const JudgeOptions& judge = *stage.judge;
  const PretrainedModel opened = open_pretrained(judge.model_name_or_path);
  const dist::ModelShape model = dist::shape_of(Decoder(opened.config));
  dist::EngineOptions options;
  options.compute_dtype = scalar_type(judge.dtype);
  options.shard = dist::ShardMode::kNone;
  options.device = engine.device;
  int64_t answers = std::ssize(asked.free_prompts), rows = kJudgePrompt;
  if (!judge.labelled.empty()) answers += std::ssize(read_labelled_rows(judge.labelled));
  // Question, right answer and answer, of which only the answer differs between neighbours.
  for (const FreePrompt& one : asked.free_prompts) {
    rows += std::ssize(one.text.user) / 8 + stage.free_answers->max_new_tokens + kBehindAnswer;
  }
  const dist::AskShape shape{.rows = std::min(rows, judge.max_tokens_per_batch),
                             .logit_rows = std::min(default_chunk_rows(options.device), answers),
                             .cached_tokens = 0,
                             .passes = 1 + rows / judge.max_tokens_per_batch};
  dist::AskMemory bytes = dist::predict_asking(
      model, options, shape, dist::memory_constants(options.device.type(), options.compute_dtype));
  bytes.weights = dist::asked_weight_bytes(model, options, 1, dist::WeightsHeld::kFrozen);
  return bytes;
}

/// The edits of the evaluation, in the batches that they are written in.
EditingWork editing_work(const EvaluateStage& stage, const EvalQuestions& questions) {
  EditingWork work{.kind = *stage.method->editor(),
                   .editor = stage.editor,
                   .batches = {},
                   .is_stream = stage.mode == EditMode::kSequential};
  for (const EditedWeights& written : questions.asked.edited) {
    const EvalStream& stream = questions.edits.streams[written.stream];
    const int64_t step = work.is_stream ? stage.editor.batch : written.end - written.begin;
    work.edits_together = std::max(work.edits_together, written.end - written.begin);
    for (int64_t begin = written.begin; begin < written.end; begin += step) {
      std::vector<EditRequest>& batch = work.batches.emplace_back();
      for (int64_t at = begin; at < std::min(written.end, begin + step); ++at) {
        const EvalEdit& one = stream.edits[static_cast<size_t>(at)];
        const std::string& code =
            questions.edits.pairs[stream.pairs[static_cast<size_t>(at)]].first;
        batch.push_back({one.record, language_of(code).iso, one.question, one.subject, one.target});
      }
    }
  }
  return work;
}

}  // namespace

EvalMemory evaluate_memory(const EvaluateStage& stage, const SurveyInputs& inputs,
                           const dist::EngineOptions& options) {
  const EvalQuestions questions = eval_questions(stage, inputs);
  const dist::ModelShape model = dist::shape_of(Decoder(inputs.model.config));
  EvalMemory memory;
  const AskedOfModel all(stage, questions, inputs);
  const dist::MemoryConstants constants =
      dist::memory_constants(options.device.type(), options.compute_dtype);
  memory.model = dist::predict_asking(model, options, all.scored(), constants);
  const dist::AskMemory answering = dist::predict_asking(model, options, all.answered(), constants);
  if (answering.peak() > memory.model.peak()) memory.model = answering;
  memory.model.weights =
      dist::asked_weight_bytes(model, options, inputs.place.ranks, weights_held(inputs.recipe));
  if (stage.method->editor()) {
    const EditingMemory editing =
        editing_memory(editing_work(stage, questions), inputs, model, options.compute_dtype);
    memory.model.edits = editing.edits;
    memory.model.editor = editing.editor;
    memory.model.editing = editing.writing;
  }
  if (stage.judge) memory.judge = judge_memory(stage, questions.asked, options);
  return memory;
}

}  // namespace xkde::recipe
