#include "recipes/stages/evaluate_stage.h"

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <map>
#include <utility>
#include <vector>

#include <ATen/ATen.h>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/stopwatch.h"
#include "core/data/edit_dataset.h"
#include "core/edit/edit_metrics.h"
#include "core/edit/edit_questions.h"
#include "core/io/atomic_file.h"
#include "core/model/token_tree.h"
#include "recipes/stages/progress.h"

namespace xkde::recipe {
namespace {

/// Records that one rank scores at a time: enough to fill a batch, few enough to share the work
/// evenly.
constexpr int64_t kRecordsPerChunk = 8;

struct Chunk {
  int64_t id = 0;
  LanguagePair languages;
  std::span<const EditRecord> records;
};

/// One pair's records, alive as long as the chunks that point into them.
struct PairData {
  LanguagePair languages;
  EditDataset data;
};

std::vector<PairData> load_pairs(const EvaluateStage& stage) {
  const Benchmark benchmark = benchmark_from_name(stage.benchmark);
  const Slice slice = Slice::parse(stage.records);
  std::vector<PairData> pairs;
  for (const std::string& edit : stage.edit_languages) {
    for (const std::string& test : stage.test_languages) {
      pairs.push_back({{edit, test}, load_edits(benchmark, stage.data, edit, test, slice)});
    }
  }
  return pairs;
}

std::vector<Chunk> cut_into_chunks(const std::vector<PairData>& pairs) {
  std::vector<Chunk> chunks;
  for (const PairData& pair : pairs) {
    const std::span<const EditRecord> records = pair.data.records;
    for (size_t begin = 0; begin < records.size(); begin += kRecordsPerChunk) {
      const size_t count = std::min<size_t>(kRecordsPerChunk, records.size() - begin);
      chunks.push_back(
          {static_cast<int64_t>(chunks.size()), pair.languages, records.subspan(begin, count)});
    }
  }
  return chunks;
}

/// A prompt of a chunk on its way through the model.
struct Question {
  int64_t record = 0;
  EvalPrompt prompt;
  ScoredSequence sequence;
  std::vector<int64_t> predicted_ids;
};

std::vector<Question> ask(const Chunk& chunk, const RunContext& context) {
  const Language& edit = language_of(chunk.languages.first);
  const Language& test = language_of(chunk.languages.second);
  const int64_t longest = context.decoder().config().max_position_embeddings;
  std::vector<Question> questions;
  for (const EditRecord& record : chunk.records) {
    for (EvalPrompt& prompt : eval_prompts(record, edit, test)) {
      ScoredSequence sequence = scored_sequence(context.tokenizer(), context.chat_template(),
                                                prompt.user_text, prompt.target);
      const auto length = static_cast<int64_t>(sequence.ids.size());
      XKDE_CHECK(length <= longest, DataError, "record ", record.index, ": ",
                 metric_name(prompt.metric), ": expected a prompt of at most ", longest,
                 " tokens (the model's context), found ", length);
      questions.push_back({record.index, std::move(prompt), std::move(sequence), {}});
    }
  }
  return questions;
}

/// Fills the questions' predicted ids and returns the rows that were computed.
int64_t predict(std::vector<Question>& questions, const EvaluateStage& stage, RunContext& context) {
  std::vector<TreeSequence> sequences;
  for (const Question& question : questions) {
    TreeSequence sequence{question.sequence.ids, {}};
    for (size_t i = 0; i < question.sequence.target_ids.size(); ++i) {
      sequence.labels.push_back({question.sequence.first_prediction + static_cast<int64_t>(i),
                                 question.sequence.target_ids[i], 0.0});
    }
    sequences.push_back(std::move(sequence));
  }
  const PackOptions options{.share_prefixes = stage.token_tree,
                            .max_tokens = stage.max_tokens_per_batch,
                            .max_sequences = 0,
                            .device = context.device()};
  int64_t rows = 0;
  for (const PackedBatch& batch : pack_sequences(sequences, options)) {
    const at::Tensor ids = context.model().predict(batch).cpu();
    const int64_t* values = ids.const_data_ptr<int64_t>();
    // Labels of one sequence stand together and in order.
    for (size_t i = 0; i < batch.label_sequence.size(); ++i) {
      questions[static_cast<size_t>(batch.label_sequence[i])].predicted_ids.push_back(values[i]);
    }
    rows += batch.num_tokens();
  }
  return rows;
}

/// Locality was asked twice, bare first: its reference is what the model said without the edit.
std::vector<Prediction> score(std::vector<Question> questions, const LanguagePair& languages) {
  std::vector<Prediction> predictions;
  std::map<std::pair<int64_t, Metric>, std::vector<int64_t>> bare;
  for (Question& question : questions) {
    const std::pair key{question.record, question.prompt.metric};
    if (!question.prompt.has_edit) {
      bare[key] = std::move(question.predicted_ids);
      continue;
    }
    Prediction prediction{.record = question.record,
                          .edit_language = languages.first,
                          .test_language = languages.second,
                          .metric = question.prompt.metric,
                          .prompt = std::move(question.prompt.user_text),
                          .target_ids = std::move(question.sequence.target_ids),
                          .predicted_ids = std::move(question.predicted_ids),
                          .score = 0,
                          .retrieved = {}};
    if (const auto found = bare.find(key); found != bare.end()) {
      prediction.target_ids = found->second;
    }
    prediction.score = token_accuracy(prediction.predicted_ids, prediction.target_ids);
    predictions.push_back(std::move(prediction));
  }
  return predictions;
}

/// What a rank did, as text for rank 0.
Json pack_results(const std::vector<Prediction>& predictions, const Json& metrics) {
  Json list = Json::array();
  for (const Prediction& p : predictions) {
    list.push_back({p.record, p.edit_language, p.test_language, static_cast<int>(p.metric),
                    p.prompt, p.target_ids, p.predicted_ids, p.score});
  }
  return {{"predictions", std::move(list)}, {"metrics", metrics}};
}

void unpack_results(const Json& packed, std::vector<Prediction>& predictions, Json& metrics) {
  for (const Json& row : packed.at("predictions")) {
    predictions.push_back({.record = row[0].get<int64_t>(),
                           .edit_language = row[1].get<std::string>(),
                           .test_language = row[2].get<std::string>(),
                           .metric = static_cast<Metric>(row[3].get<int>()),
                           .prompt = row[4].get<std::string>(),
                           .target_ids = row[5].get<std::vector<int64_t>>(),
                           .predicted_ids = row[6].get<std::vector<int64_t>>(),
                           .score = row[7].get<double>(),
                           .retrieved = {}});
  }
  for (const Json& row : packed.at("metrics")) metrics.push_back(row);
}

void write_outputs(const std::filesystem::path& folder, const EvalScope& scope,
                   const std::vector<LanguagePair>& pairs, std::vector<Prediction> predictions,
                   Json metrics) {
  sort_predictions(predictions, pairs);
  std::string lines;
  for (const Prediction& p : predictions) lines += prediction_json(scope, p).dump() + "\n";
  write_file_atomically(folder / "predictions.jsonl", lines);

  std::sort(metrics.begin(), metrics.end(), [](const Json& a, const Json& b) {
    return a.at("chunk").get<int64_t>() < b.at("chunk").get<int64_t>();
  });
  std::string chunks;
  for (const Json& row : metrics) chunks += row.dump() + "\n";
  write_file_atomically(folder / "metrics.jsonl", chunks);

  const Json results = results_json(summarize(scope, pairs, predictions));
  write_file_atomically(folder / "results.json", results.dump(1) + "\n");
}

void report_skipped(const std::vector<PairData>& pairs) {
  for (const PairData& pair : pairs) {
    for (const auto& [reason, count] : pair.data.skipped) {
      log::info("evaluate: " + pair.languages.first + " -> " + pair.languages.second + ": " +
                std::to_string(count) + " rows left out: " + reason);
    }
  }
}

}  // namespace

void run_evaluate(const EvaluateStage& stage, const std::filesystem::path& folder,
                  RunContext& context) {
  const std::vector<PairData> pairs = load_pairs(stage);
  const std::vector<Chunk> chunks = cut_into_chunks(pairs);
  if (context.is_root()) report_skipped(pairs);
  dist::Communicator& comm = context.comm();
  context.model().make_resident();
  comm.reset_counter();

  std::vector<Prediction> predictions;
  Json metrics = Json::array();
  Progress progress("evaluate", static_cast<int64_t>(chunks.size()), 0,
                    std::max<int64_t>(1, static_cast<int64_t>(chunks.size()) / 5),
                    context.is_root());
  const auto total = static_cast<int64_t>(chunks.size());
  for (int64_t next = comm.next_ticket(); next < total; next = comm.next_ticket()) {
    const Stopwatch watch;
    const Chunk& chunk = chunks[static_cast<size_t>(next)];
    std::vector<Question> questions = ask(chunk, context);
    int64_t tokens = 0;
    for (const Question& question : questions) {
      tokens += static_cast<int64_t>(question.sequence.ids.size());
    }
    const auto prompts = static_cast<int64_t>(questions.size());
    const int64_t rows = predict(questions, stage, context);
    std::vector<Prediction> scored = score(std::move(questions), chunk.languages);
    std::move(scored.begin(), scored.end(), std::back_inserter(predictions));
    const double seconds = watch.seconds();
    metrics.push_back({{"chunk", chunk.id},
                       {"rank", comm.rank()},
                       {"edit_language", chunk.languages.first},
                       {"test_language", chunk.languages.second},
                       {"records", static_cast<int64_t>(chunk.records.size())},
                       {"prompts", prompts},
                       {"tokens", tokens},
                       {"computed_tokens", rows},
                       {"seconds", seconds}});
    char text[64];
    std::snprintf(text, sizeof text, "%.0f tokens/s", static_cast<double>(tokens) / seconds);
    progress.update(next + 1, text);
  }

  const std::vector<std::string> parts =
      comm.all_gather_bytes(pack_results(predictions, metrics).dump());
  if (!context.is_root()) return;
  predictions.clear();
  metrics = Json::array();
  for (const std::string& part : parts) unpack_results(Json::parse(part), predictions, metrics);
  std::vector<LanguagePair> languages;
  for (const PairData& pair : pairs) languages.push_back(pair.languages);
  const EvalScope scope{.benchmark = stage.benchmark,
                        .phase = context.trained ? "after" : "before",
                        .mode = stage.mode,
                        .size = 1};
  write_outputs(folder, scope, languages, std::move(predictions), std::move(metrics));
}

}  // namespace xkde::recipe
