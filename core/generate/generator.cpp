#include "core/generate/generator.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>

#include "core/base/error.h"
#include "core/base/rng.h"
#include "core/base/stop_signals.h"
#include "core/model/token_tree.h"
#include "core/nn/device_copy.h"
#include "core/nn/kv_cache.h"
#include "core/nn/paged_cache.h"
#include "core/nn/slot_cache.h"

namespace xkde {
namespace {

/// More answers than this never have one prompt: streams of different prompts stay apart.
constexpr uint64_t kAnswersPerPrompt = 1U << 20;

/// An answer on its way.
struct LiveAnswer {
  size_t prompt = 0;  ///< index into the call's list
  size_t answer = 0;  ///< of its prompt
  int64_t prompt_slot = 0;
  int64_t answer_slot = 0;
  int64_t cached = 0;  ///< own tokens in the cache
  int64_t found = -1;  ///< what its prompt found of GenerateOptions::lookup
  RandomStream random;
};

class SlotList {
 public:
  explicit SlotList(int64_t count) {
    for (int64_t slot = count - 1; slot >= 0; --slot) free_.push_back(slot);
  }
  int64_t take() {
    const int64_t slot = free_.back();
    free_.pop_back();
    return slot;
  }
  void give_back(int64_t slot) { free_.push_back(slot); }

 private:
  std::vector<int64_t> free_;
};

}  // namespace

std::string_view finish_reason_name(FinishReason reason) {
  return reason == FinishReason::kStop     ? "stop"
         : reason == FinishReason::kLength ? "length"
                                           : "cancelled";
}

/// One call of generate().
class Generator::Run {
 public:
  Run(Generator& owner, std::span<const GeneratePrompt> prompts, uint64_t seed)
      : decoder_(owner.decoder_),
        weights_(owner.weights_),
        tokenizer_(owner.tokenizer_),
        options_(owner.options_),
        counts_(owner.counts_),
        recorder_(options_.lookup == nullptr ? owner.recorder_ : nullptr),
        prompts_(prompts),
        seed_(seed),
        slots_(std::max(options_.max_sequences, options_.num_return_sequences)),
        answer_slots_(slots_),
        prompt_slots_(slots_) {
    const at::Tensor embedding = weights_(0).front();
    dtype_ = embedding.scalar_type();
    device_ = embedding.device();
    int64_t longest = 0;
    for (const GeneratePrompt& prompt : prompts) {
      const auto length = static_cast<int64_t>(prompt.ids.size());
      XKDE_CHECK(length > 0, DataError, "prompt ", prompt.index, ": expected tokens, found none");
      XKDE_CHECK(length < longest_sequence(), DataError, "prompt ", prompt.index,
                 ": expected fewer tokens than the ", longest_sequence(),
                 " that a prompt and its answer may have, found ", length);
      longest = std::max(longest, length);
    }
    const KvCacheShape shape{.num_layers = decoder_.num_blocks(),
                             .heads = decoder_.attention_shape(),
                             .windows = decoder_.windows(),
                             .num_slots = slots_,
                             .prompt_tokens = longest,
                             .answer_tokens = options_.max_new_tokens};
    const bool paged = recorder_ == nullptr && device_.is_cpu() &&
                       (dtype_ == at::kFloat || dtype_ == at::kBFloat16);
    cache_ = paged ? make_paged_cache(shape) : make_slot_cache(shape, dtype_, device_);
    answers_.resize(prompts.size());
    for (auto& of_prompt : answers_) {
      of_prompt.resize(static_cast<size_t>(options_.num_return_sequences));
    }
    unfinished_.assign(prompts.size(), options_.num_return_sequences);
  }

  std::vector<std::vector<GeneratedAnswer>> finish() {
    size_t next = 0;
    while (next < prompts_.size() || !live_.empty()) {
      check_stop();
      const int64_t places = (slots_ - std::ssize(live_)) / options_.num_return_sequences;
      // A prefill costs about as much as a step: wait until it serves a good share of the places.
      const int64_t worth = std::max<int64_t>(1, slots_ / options_.num_return_sequences / 4);
      const auto left = static_cast<int64_t>(prompts_.size() - next);
      if (left > 0 && places >= std::min(worth, left)) {
        const auto count = static_cast<size_t>(std::min(places, left));
        prefill(next, count);
        next += count;
      } else {
        step();
      }
    }
    return std::move(answers_);
  }

 private:
  void prefill(size_t first, size_t count) {
    std::vector<TreeSequence> sequences;
    for (size_t i = first; i < first + count; ++i) {
      TreeSequence sequence{prompts_[i].ids, {}};
      // Labels everywhere: they tell which rows the sequence has.
      for (int64_t t = 0; t < std::ssize(sequence.ids); ++t) sequence.labels.push_back({t, 0, 0.0});
      counts_.prompt_tokens += std::ssize(sequence.ids);
      sequences.push_back(std::move(sequence));
    }
    const PackOptions pack{.share_prefixes = options_.lookup == nullptr,
                           .max_tokens = options_.max_tokens_per_batch,
                           .max_sequences = 0,
                           .device = device_};
    for (const PackedBatch& batch : pack_sequences(sequences, pack)) {
      prefill_batch(batch, first);
    }
  }

  void prefill_batch(const PackedBatch& batch, size_t first) {
    counts_.prefilled_tokens += batch.num_tokens();
    const at::Tensor rows = batch.label_rows.cpu();
    const int64_t* row_of_label = rows.const_data_ptr<int64_t>();
    std::vector<CachedPrompt> cached;
    std::vector<size_t> members;
    for (size_t i = 0; i < batch.label_sequence.size(); ++i) {
      const size_t prompt = first + static_cast<size_t>(batch.label_sequence[i]);
      if (members.empty() || members.back() != prompt) {
        members.push_back(prompt);
        cached.push_back({prompt_slots_.take(), {}, {}});
        for (int64_t a = 0; a < options_.num_return_sequences; ++a) {
          cached.back().answer_slots.push_back(answer_slots_.take());
        }
      }
      cached.back().rows.push_back(row_of_label[i]);
    }

    const BlockContext context = decoder_.context(batch, dtype_);
    const auto attend = [&](int64_t layer, const at::Tensor& qkv) {
      const LayerContext& kind = context.of(layer);
      cache_->put_prompts(layer, qkv, kind.rotary, cached);
      return packed_attention(qkv, decoder_.attention_shape(), kind.rotary, kind.attention);
    };
    std::optional<PromptProducts> lookup;
    if (options_.lookup != nullptr)
      lookup.emplace(*options_.lookup, lookup_rows(batch, prompt_lengths(first)));
    std::vector<int64_t> ends;
    for (const CachedPrompt& prompt : cached) ends.push_back(prompt.rows.back());
    const at::Tensor x =
        attended_rows(batch.input_ids, context, attend, changed(lookup ? &*lookup : nullptr),
                      to_device(ends, device_));  // [prompts, D]
    const at::Tensor found = lookup ? lookup->found().cpu() : at::Tensor();
    std::vector<int64_t> last_rows;
    std::vector<LiveAnswer> fresh;
    for (size_t i = 0; i < members.size(); ++i) {
      for (size_t a = 0; a < cached[i].answer_slots.size(); ++a) {
        last_rows.push_back(static_cast<int64_t>(i));
        const uint64_t stream = prompts_[members[i]].index * kAnswersPerPrompt + a;
        fresh.push_back({members[i], a, cached[i].prompt_slot, cached[i].answer_slots[a], 0,
                         lookup ? found.const_data_ptr<int64_t>()[i] : -1,
                         RandomStream(seed_, "sample", stream)});
      }
    }
    // One row of logits a prompt, drawn from once for each answer.
    draw(in_host_memory(decoder_.logits(x, weights_)), last_rows, std::move(fresh));
  }

  void step() {
    std::vector<int64_t> tokens, positions;
    std::vector<DecodeRow> rows;
    for (const LiveAnswer& live : live_) {
      const auto prompt_tokens = std::ssize(prompts_[live.prompt].ids);
      rows.push_back({live.prompt_slot, live.answer_slot, prompt_tokens, live.cached});
      tokens.push_back(answers_[live.prompt][live.answer].ids.back());
      positions.push_back(prompt_tokens + live.cached);
    }
    ++counts_.decode_steps;
    const at::Tensor logits = recorder_ != nullptr
                                  ? recorded_logits(std::move(rows), tokens, positions)
                                  : plain_logits(rows, tokens, positions);
    std::vector<int64_t> each(live_.size());
    for (size_t i = 0; i < live_.size(); ++i) {
      ++live_[i].cached;
      each[i] = static_cast<int64_t>(i);
    }
    std::vector<LiveAnswer> before = std::move(live_);
    live_.clear();
    draw(logits, each, std::move(before));
  }

  at::Tensor plain_logits(const std::vector<DecodeRow>& rows, const std::vector<int64_t>& tokens,
                          const std::vector<int64_t>& positions) {
    cache_->begin_step(rows);
    std::optional<AnswerProducts> lookup;
    if (options_.lookup != nullptr) {
      std::vector<int64_t> found;
      for (const LiveAnswer& live : live_) found.push_back(live.found);
      lookup.emplace(*options_.lookup, to_device(found, device_));
    }
    return in_host_memory(step_logits(to_device(tokens, device_),
                                      decoder_.rotations(to_device(positions, device_), dtype_),
                                      changed(lookup ? &*lookup : nullptr)));
  }

  LayerProducts changed(const BlockProducts* products) const {
    if (products == nullptr) return {};
    return {options_.lookup->layer(), products};
  }

  /// Of the prompts from `first` on.
  std::vector<int64_t> prompt_lengths(size_t first) const {
    std::vector<int64_t> lengths;
    for (const GeneratePrompt& prompt : prompts_.subspan(first))
      lengths.push_back(std::ssize(prompt.ids));
    return lengths;
  }

  /// A step that was recorded for the next power of two of rows, filled up with rows that stand for
  /// none.
  at::Tensor recorded_logits(std::vector<DecodeRow> rows, std::vector<int64_t> tokens,
                             std::vector<int64_t> positions) {
    const auto live = std::ssize(rows);
    int64_t size = 1;
    while (size < live) size *= 2;
    rows.resize(static_cast<size_t>(size), {kNoSlot, kNoSlot, 0, 0});
    tokens.resize(static_cast<size_t>(size), 0);
    positions.resize(static_cast<size_t>(size), 0);
    cache_->begin_step(rows);
    const BlockContext rotations = decoder_.rotations(to_device(positions, device_), dtype_);
    RecordedStep& step = recorded_[size];
    if (!step.work) {
      step.tokens = to_device(tokens, device_);
      step.rotations = rotations;
      step.logits =
          at::empty({size, decoder_.config().vocab_size}, step.tokens.options().dtype(at::kFloat));
      step.work = recorder_->record(
          [this, &step] { step.logits.copy_(step_logits(step.tokens, step.rotations)); });
    } else {
      step.tokens.copy_(to_device(tokens, device_));
      for (size_t kind = 0; kind < rotations.kinds().size(); ++kind) {
        const RotaryTable& fresh = rotations.kinds()[kind].rotary;
        RotaryTable& recorded = step.rotations.kinds()[kind].rotary;
        recorded.cos.copy_(fresh.cos);
        recorded.sin.copy_(fresh.sin);
      }
    }
    step.work->replay();
    return in_host_memory(step.logits.narrow(0, 0, live));
  }

  /// [M, V] on the device. Gives it nothing but kernels, the cache's step begun.
  at::Tensor step_logits(const at::Tensor& tokens, const BlockContext& rotations,
                         const LayerProducts& changed = {}) const {
    const auto attend = [&](int64_t layer, const at::Tensor& qkv) {
      return cache_->attend(layer, qkv, rotations.of(layer).rotary);
    };
    return decoder_.logits(attended_rows(tokens, rotations, attend, changed), weights_);
  }

  /// Decoder::forward with attention of the caller's own: `attend(layer, qkv)` takes [T, (H + 2K)
  /// E] and gives [T, H E]. `rows` int64 [L]: those that are wanted behind the last block, the only
  /// ones that go through its MLP; undefined: all.
  template <typename Attend>
  at::Tensor attended_rows(const at::Tensor& ids, const BlockContext& context, const Attend& attend,
                           const LayerProducts& changed, const at::Tensor& rows = {}) const {
    const int64_t last = decoder_.num_blocks() - 1;
    // Products of its own may know the rows by their places.
    const bool picks_early = rows.defined() && changed.of(last) == nullptr;
    UnitPass pass{.weights = weights_};
    pass.block = [&](size_t unit, const std::vector<at::Tensor>& parameters, const at::Tensor& x) {
      const int64_t layer = static_cast<int64_t>(unit) - 1;
      const at::Tensor attended = attend(layer, decoder_.block_qkv(parameters, x));
      if (layer != last || !picks_early)
        return decoder_.block_rest(parameters, x, attended, changed.of(layer));
      return decoder_.block_rest(parameters, x.index_select(0, rows),
                                 attended.index_select(0, rows));
    };
    const at::Tensor x = decoder_.forward(ids, context, pass);
    return rows.defined() && !picks_early ? x.index_select(0, rows) : x;
  }

  static at::Tensor in_host_memory(const at::Tensor& logits) {
    return logits.to(at::kFloat).cpu().contiguous();
  }

  /// Appends to each answer a token drawn from its row of logits; those that go on are live.
  void draw(const at::Tensor& logits, const std::vector<int64_t>& rows,
            std::vector<LiveAnswer> answers) {
    const int64_t width = logits.size(1);
    const float* values = logits.const_data_ptr<float>();
    std::vector<int64_t> drawn(answers.size());
    at::parallel_for(0, std::ssize(answers), 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const auto at = static_cast<size_t>(i);
        const std::span row(values + rows[at] * width, static_cast<size_t>(width));
        drawn[at] = sample_token(row, options_.sampling, answers[at].random.uniform());
      }
    });
    for (size_t i = 0; i < answers.size(); ++i) {
      ++counts_.new_tokens;
      if (!finishes(answers[i], drawn[i])) {
        live_.push_back(std::move(answers[i]));
        continue;
      }
      answer_slots_.give_back(answers[i].answer_slot);
      if (--unfinished_[answers[i].prompt] == 0) prompt_slots_.give_back(answers[i].prompt_slot);
    }
  }

  int64_t longest_sequence() const {
    const int64_t context = decoder_.config().context_length();
    return options_.max_length > 0 ? std::min(options_.max_length, context) : context;
  }

  bool finishes(const LiveAnswer& live, int64_t token) {
    GeneratedAnswer& answer = answers_[live.prompt][live.answer];
    answer.ids.push_back(token);
    const auto& stops = options_.stop_ids;
    const bool stopped = std::find(stops.begin(), stops.end(), token) != stops.end();
    const int64_t length = std::ssize(prompts_[live.prompt].ids) + std::ssize(answer.ids);
    const bool full =
        std::ssize(answer.ids) >= options_.max_new_tokens || length >= longest_sequence();
    const std::optional<size_t> cut = stop_text_in(answer.ids);
    const bool goes_on = !stopped && !full && !cut;
    if (goes_on && (options_.on_token == nullptr || options_.on_token(answer))) return false;
    std::vector<int64_t> spoken = answer.ids;
    if (stopped) spoken.pop_back();
    answer.text = tokenizer_.decode(spoken);
    if (cut) answer.text.resize(*cut);
    if (stopped || cut) answer.finish_reason = FinishReason::kStop;
    if (goes_on) answer.finish_reason = FinishReason::kCancelled;
    return true;
  }

  std::optional<size_t> stop_text_in(const std::vector<int64_t>& ids) const {
    if (options_.stop_texts.empty()) return std::nullopt;
    const std::string text = tokenizer_.decode(ids);
    size_t first = std::string::npos;
    for (const std::string& stop : options_.stop_texts) first = std::min(first, text.find(stop));
    if (first == std::string::npos) return std::nullopt;
    return first;
  }

  struct RecordedStep {
    at::Tensor tokens;  ///< int64 [M]
    BlockContext rotations;
    at::Tensor logits;  ///< fp32 [M, V]
    std::unique_ptr<RecordedWork> work;
  };

  const Decoder& decoder_;
  const UnitWeights& weights_;
  const Tokenizer& tokenizer_;
  const GenerateOptions& options_;
  GenerateCounts& counts_;
  WorkRecorder* recorder_;
  std::span<const GeneratePrompt> prompts_;
  uint64_t seed_;
  int64_t slots_;
  SlotList answer_slots_, prompt_slots_;
  at::ScalarType dtype_ = at::kFloat;
  at::Device device_ = at::kCPU;
  std::unique_ptr<KvCache> cache_;
  std::map<int64_t, RecordedStep> recorded_;  ///< by their rows; they read and write the cache
  std::vector<LiveAnswer> live_;              ///< answers of one prompt stand together
  std::vector<int64_t> unfinished_;
  std::vector<std::vector<GeneratedAnswer>> answers_;
};

Generator::Generator(const Decoder& decoder, UnitWeights weights, const Tokenizer& tokenizer,
                     GenerateOptions options, WorkRecorder* recorder)
    : decoder_(decoder),
      weights_(std::move(weights)),
      tokenizer_(tokenizer),
      options_(std::move(options)),
      recorder_(recorder) {}

std::vector<std::vector<GeneratedAnswer>> Generator::generate(
    std::span<const GeneratePrompt> prompts, uint64_t seed) {
  const c10::AutoGradMode without_graph(false);
  if (prompts.empty()) return {};
  return Run(*this, prompts, seed).finish();
}

}  // namespace xkde
