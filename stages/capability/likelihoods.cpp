#include "stages/capability/likelihoods.h"

#include <cmath>
#include <string>
#include <utility>

#include <ATen/ATen.h>

#include "core/base/error.h"
#include "core/base/stopwatch.h"
#include "core/io/file_reader.h"
#include "core/model/token_tree.h"
#include "stages/run/chunk_log.h"
#include "stages/run/work_queue.h"

namespace xkde::recipe {
namespace {

constexpr const char* kKey = "log_likelihoods";

class LikelihoodRunner {
 public:
  LikelihoodRunner(const CapabilityStage& stage, const CapabilityInputs& inputs,
                   const std::vector<CapabilityItem>& items, RunContext& context)
      : stage_(stage),
        inputs_(inputs),
        items_(items),
        context_(context),
        chunks_(item_chunks(items, stage.max_tokens_per_batch)) {}

  void run(const std::filesystem::path& folder) {
    std::vector<int64_t> rows;
    for (const ItemChunk& chunk : chunks_) rows.push_back(static_cast<int64_t>(chunk.count));
    ChunkLog log(folder / kLikelihoodsFile, std::move(rows), context_.comm());
    WorkQueue queue("capability", std::ssize(chunks_), context_.comm(), log);
    context_.model().make_resident();
    queue.run(0, std::ssize(chunks_), "likelihoods", [&](int64_t next) {
      const Stopwatch watch;
      const ItemChunk& chunk = chunks_[static_cast<size_t>(next)];
      int64_t tokens = 0, computed = 0;
      const std::vector<Json> lines = score(chunk, tokens, computed);
      const double seconds = watch.seconds();
      log.append(next, lines,
                 {{"chunk", next},
                  {"rank", context_.comm().rank()},
                  {"items", chunk.count},
                  {"tokens", tokens},
                  {"computed_tokens", computed},
                  {"seconds", seconds}});
      return tokens_per_second(tokens, seconds);
    });
    log.finish();
  }

 private:
  /// `tokens` of the sequences one by one, and rows that were `computed`.
  std::vector<Json> score(const ItemChunk& chunk, int64_t& tokens, int64_t& computed) {
    std::vector<TreeSequence> sequences;
    std::vector<std::pair<size_t, size_t>> places;  // of each: item of the chunk, its sequence
    std::vector<LogLikelihoods> sums(chunk.count);
    for (size_t i = 0; i < chunk.count; ++i) {
      const CapabilityItem& item = items_[chunk.first + i];
      sums[i].resize(item.sequences.size());
      for (size_t j = 0; j < item.sequences.size(); ++j) {
        const ScoredSequence& scored = item.sequences[j];
        TreeSequence sequence{scored.ids, {}};
        for (size_t t = 0; t < scored.target_ids.size(); ++t) {
          sequence.labels.push_back(
              {scored.first_prediction + static_cast<int64_t>(t), scored.target_ids[t], 0.0});
        }
        tokens += std::ssize(scored.ids);
        sequences.push_back(std::move(sequence));
        places.emplace_back(i, j);
      }
    }
    const PackOptions options{.share_prefixes = stage_.token_tree,
                              .max_tokens = stage_.max_tokens_per_batch,
                              .max_sequences = 0,
                              .device = context_.device()};
    for (const PackedBatch& batch : pack_sequences(sequences, options)) {
      const at::Tensor log_probs = context_.model().label_log_probs(batch).cpu();
      const float* values = log_probs.const_data_ptr<float>();
      // Labels of one sequence stand together and in order.
      for (size_t i = 0; i < batch.label_sequence.size(); ++i) {
        const auto [item, sequence] = places[static_cast<size_t>(batch.label_sequence[i])];
        XKDE_CHECK(std::isfinite(values[i]), NumericError,
                   place_of(items_[chunk.first + item], stage_, inputs_),
                   ": expected a finite log-likelihood, found NaN or infinity");
        sums[item][sequence] += static_cast<double>(values[i]);
      }
      computed += batch.num_tokens();
    }
    std::vector<Json> lines;
    for (const LogLikelihoods& one : sums) lines.push_back({{kKey, one}});
    return lines;
  }

  const CapabilityStage& stage_;
  const CapabilityInputs& inputs_;
  const std::vector<CapabilityItem>& items_;
  RunContext& context_;
  std::vector<ItemChunk> chunks_;
};

std::vector<LogLikelihoods> read_likelihoods(const std::filesystem::path& file,
                                             const std::vector<CapabilityItem>& items) {
  std::vector<LogLikelihoods> all;
  LineReader lines(file, FileOrigin::kOwn);
  std::string line;
  for (const CapabilityItem& item : items) {
    XKDE_CHECK(lines.next(line), InternalError, file.string(), ": expected more lines than it has");
    all.push_back(parse_json(line, file.string()).at(kKey).get<LogLikelihoods>());
    XKDE_CHECK(all.back().size() == item.sequences.size(), InternalError, file.string(), ": line ",
               lines.number(), ": expected ", item.sequences.size(), " numbers, found ",
               all.back().size());
  }
  return all;
}

}  // namespace

std::vector<LogLikelihoods> ask_likelihoods(const CapabilityStage& stage,
                                            const CapabilityInputs& inputs,
                                            const std::vector<CapabilityItem>& items,
                                            const std::filesystem::path& folder,
                                            RunContext& context) {
  LikelihoodRunner(stage, inputs, items, context).run(folder);
  if (!context.is_root()) return {};
  return read_likelihoods(folder / kLikelihoodsFile, items);
}

}  // namespace xkde::recipe
