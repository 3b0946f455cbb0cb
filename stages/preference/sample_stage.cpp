#include "stages/preference/sample_stage.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/stopwatch.h"
#include "core/data/at_row.h"
#include "core/data/conversation.h"
#include "core/data/preference_rows.h"
#include "core/data/sft_sample.h"
#include "core/data/slice.h"
#include "core/generate/generator.h"
#include "core/io/atomic_file.h"
#include "core/io/file_reader.h"
#include "core/text/plural.h"
#include "stages/recipe/run_record.h"
#include "stages/run/chunk_log.h"
#include "stages/run/work_queue.h"

namespace xkde::recipe {
namespace {

/// A training prompt, ready to be answered.
struct SamplePrompt {
  uint64_t index = 0;  ///< of its conversation in the file
  SampleRow row;       ///< without answers
  std::vector<int64_t> ids;
};

std::string prompt_text(const Conversation& conversation, const SampleStage& stage,
                        const ChatTemplate& chat_template) {
  const std::vector<ChatMessage> asked(conversation.turns.begin(),
                                       std::prev(conversation.turns.end()));
  if (stage.prompt_format == PromptFormat::kModel) return chat_template.prompt(asked);
  XKDE_CHECK(asked.size() == 1, DataError, "conversation ", conversation.id,
             ": expected one question (prompt_format: xk), found ", asked.size(), " turns");
  return "[INST]" + asked.front().content + " [/INST] ";
}

SamplePrompt prompt_of(const Conversation& conversation, const SampleStage& stage,
                       const Tokenizer& tokenizer, const ChatTemplate& chat_template) {
  const std::string text = prompt_text(conversation, stage, chat_template);
  return {.index = 0,
          .row = {.id = conversation.id,
                  .prompt = text,
                  .gold = conversation.turns.back().content,
                  .answers = {},
                  .languages = conversation.languages},
          .ids = stage.prompt_format == PromptFormat::kModel
                     ? encode_prompt(tokenizer, chat_template, text)
                     : tokenizer.encode(text, /*add_special_tokens=*/true)};
}

/// The prompts of `conversations`, which are those of `source`.
std::vector<SamplePrompt> prompts_of(const std::vector<Conversation>& conversations,
                                     const std::string& source, const SampleStage& stage,
                                     const Tokenizer& tokenizer,
                                     const ChatTemplate& chat_template) {
  const auto [begin, end] = Slice::parse(stage.records).range(std::ssize(conversations));
  std::vector<SamplePrompt> prompts;
  for (int64_t i = begin; i < end; ++i) {
    prompts.push_back(at_row([&] { return concat(source, ": row ", i); },
                             [&] {
                               return prompt_of(conversations[static_cast<size_t>(i)], stage,
                                                tokenizer, chat_template);
                             }));
    prompts.back().index = static_cast<uint64_t>(i);
  }
  XKDE_CHECK(!prompts.empty(), DataError, source, ": expected prompts, found none of ",
             conversations.size(), " conversations in the slice \"", stage.records, "\"");
  return prompts;
}

std::vector<SamplePrompt> read_prompts(const SampleStage& stage, RunContext& context) {
  const std::filesystem::path file = stage.uses_built_data()
                                         ? context.artifacts().file(ArtifactKind::kTrainData)
                                         : std::filesystem::path(stage.train_data);
  const FileOrigin origin = stage.uses_built_data() ? FileOrigin::kOwn : FileOrigin::kInput;
  LoadedData& files = context.data().files;
  const std::vector<Conversation>& conversations = read_as(
      origin, [&]() -> auto& { return files.conversations(file); });
  return prompts_of(conversations, file.string(), stage, context.tokenizer(),
                    context.chat_template());
}

GenerateOptions options_of(const SampleStage& stage, const RunContext& context) {
  return {
      .sampling = {.temperature = stage.temperature, .top_k = stage.top_k, .top_p = stage.top_p},
      .num_return_sequences = stage.num_return_sequences,
      .max_new_tokens = stage.max_new_tokens,
      .stop_ids = context.stop_ids(),
      .stop_texts = stage.stop,
      .max_sequences = stage.max_sequences,
      .max_tokens_per_batch = stage.max_tokens_per_batch};
}

/// Answers one chunk into its rows; returns what the generator counted for it.
GenerateCounts answer(std::vector<SamplePrompt>& chunk, const GenerateOptions& options,
                      RunContext& context) {
  const int64_t longest = context.decoder().config().context_length();
  std::vector<GeneratePrompt> asked;
  std::vector<size_t> places;
  for (size_t i = 0; i < chunk.size(); ++i) {
    const bool fits = !chunk[i].ids.empty() && std::ssize(chunk[i].ids) < longest;
    if (!fits) continue;
    asked.push_back({chunk[i].ids, chunk[i].index});
    places.push_back(i);
  }
  Generator generator = context.generator(options);
  const auto seed = static_cast<uint64_t>(context.recipe().seed);
  const auto answers = generator.generate(asked, seed);
  for (size_t i = 0; i < answers.size(); ++i) {
    for (const GeneratedAnswer& one : answers[i]) {
      chunk[places[i]].row.answers.push_back(
          {one.text, one.ids, std::string(finish_reason_name(one.finish_reason))});
    }
  }
  return generator.counts();
}

void report(const std::filesystem::path& folder) {
  const std::vector<SampleRow> rows =
      read_as(FileOrigin::kOwn, [&] { return read_samples(folder / kSamplesFile); });
  int64_t answers = 0, cut = 0, tokens = 0, without = 0;
  for (const SampleRow& row : rows) {
    without += row.answers.empty() ? 1 : 0;
    for (const SampledAnswer& one : row.answers) {
      ++answers;
      cut += one.finish_reason == "length" ? 1 : 0;
      tokens += std::ssize(one.token_ids);
    }
  }
  const Json statistics{{"prompts", rows.size()},
                        {"answers", answers},
                        {"tokens", tokens},
                        {"answers_cut_at_max_new_tokens", cut},
                        {"prompts_longer_than_the_context", without}};
  write_file_atomically(folder / kStatisticsFile, statistics.dump(1) + "\n");
  log::info(concat("sample: ", count_of(answers, "answer"), " to ", count_of(rows.size(), "prompt"),
                   ", ", cut, " cut at max_new_tokens, ", count_of(without, "prompt"),
                   " left out for lack of room in the model's context"));
}

}  // namespace

void check_sample(const SampleStage& stage, const SurveyInputs& inputs) {
  prompts_of(conversations_of(stage.train_data, inputs), stage.train_data, stage,
             inputs.model.tokenizer, inputs.chat_template);
}

void run_sample(const SampleStage& stage, const std::filesystem::path& folder,
                RunContext& context) {
  const std::vector<SamplePrompt> prompts = read_prompts(stage, context);
  const GenerateOptions options = options_of(stage, context);
  std::vector<int64_t> rows_of_chunk;
  for (int64_t left = std::ssize(prompts); left > 0; left -= stage.prompts_per_chunk) {
    rows_of_chunk.push_back(std::min(left, stage.prompts_per_chunk));
  }
  const auto chunks = std::ssize(rows_of_chunk);
  dist::Communicator& comm = context.comm();
  ChunkLog log(folder / kSamplesFile, std::move(rows_of_chunk), comm);
  context.model().make_resident();
  WorkQueue queue("sample", chunks, comm, log);
  queue.run(0, chunks, "samples", [&](int64_t next) {
    const Stopwatch watch;
    const auto first = prompts.begin() + next * stage.prompts_per_chunk;
    const auto count = std::min(stage.prompts_per_chunk, prompts.end() - first);
    std::vector<SamplePrompt> chunk(first, first + count);
    const GenerateCounts counts = answer(chunk, options, context);
    std::vector<Json> rows;
    for (const SamplePrompt& prompt : chunk) rows.push_back(to_json(prompt.row));
    const double seconds = watch.seconds();
    log.append(next, rows,
               {{"chunk", next},
                {"rank", comm.rank()},
                {"prompts", count},
                {"answers", count * stage.num_return_sequences},
                {"prompt_tokens", counts.prompt_tokens},
                {"computed_prompt_tokens", counts.prefilled_tokens},
                {"new_tokens", counts.new_tokens},
                {"decode_steps", counts.decode_steps},
                {"tokens_per_second", static_cast<double>(counts.new_tokens) / seconds},
                {"seconds", seconds}});
    return tokens_per_second(counts.new_tokens, seconds);
  });
  log.finish();
  if (context.is_root()) report(folder);
}

}  // namespace xkde::recipe
