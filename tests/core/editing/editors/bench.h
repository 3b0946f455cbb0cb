#ifndef XKDE_TESTS_CORE_EDITING_EDITORS_BENCH_H_
#define XKDE_TESTS_CORE_EDITING_EDITORS_BENCH_H_

#include <barrier>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>

#include "core/editing/editors/editors.h"
#include "core/editing/request_tokens.h"
#include "core/loss/token_loss.h"
#include "tests/support/byte_tokenizer.h"
#include "tests/support/tiny_model.h"

namespace xkde {

/// Members of a team as threads.
class Crew {
 public:
  explicit Crew(int size) : size_(size), gate_(size) {}

  class Member final : public Team {
   public:
    Member(Crew& crew, int rank) : crew_(crew), rank_(rank) {}
    int rank() const override { return rank_; }
    int size() const override { return crew_.size_; }
    void add_up(at::Tensor& tensor) override { crew_.add_up(rank_, tensor); }

   private:
    Crew& crew_;
    int rank_;
  };

 private:
  void add_up(int rank, at::Tensor& tensor) {
    {
      const std::lock_guard lock(mutex_);
      parts_[rank] = tensor.clone();
    }
    gate_.arrive_and_wait();
    at::Tensor sum = parts_.at(0).clone();
    for (int other = 1; other < size_; ++other) sum.add_(parts_.at(other));
    gate_.arrive_and_wait();
    tensor.copy_(sum);
  }

  int size_;
  std::barrier<> gate_;
  std::mutex mutex_;
  std::map<int, at::Tensor> parts_;
};

/// The relative difference of two matrices.
inline double distance(const at::Tensor& one, const at::Tensor& other) {
  return ((one - other).norm() / other.norm()).item<double>();
}

inline at::Tensor eye_like(const at::Tensor& matrix) {
  return at::eye(matrix.size(0), matrix.options());
}

inline std::vector<EditRequest> some_requests() {
  return {{0, "en", "Who leads Arlo Bay?", "Arlo Bay", "Mina"},
          {1, "en", "Where is Tessel from?", "Tessel", "Oder"},
          {2, "en", "What feeds the Tarn?", "Tarn", "snow"},
          {3, "en", "Who wrote Blue Hours?", "Blue Hours", "Ida Roe"},
          {4, "en", "Where is Tessel buried?", "Tessel", "Lund"}};
}

/// A tiny model with its tokenizer; second moments are those of random keys.
struct Bench {
  static constexpr int64_t kIds = 105;
  explicit Bench(const std::string& name = "llama_tied_head_dim") : model(name) {
    const c10::AutoGradMode without_graph(false);
    // Threads that wait for one another in such small products cost more than they give.
    at::set_num_threads(1);
    // The tokenizer has more ids than the models of tests/golden have rows.
    at::manual_seed(1);
    const auto widen = [](at::Tensor& rows) {
      if (rows.size(0) >= kIds) return;
      const at::Tensor more = at::randn({kIds - rows.size(0), rows.size(1)}) * rows.std();
      rows = at::cat({rows, more});
    };
    widen(model.weights[0].front());
    if (!model.decoder.tied()) widen(model.weights.back().back());
  }
  EditableModel editable() const {
    return {.decoder = model.decoder, .tokenizer = tokenizer, .weights = model.give(), .end_id = 1};
  }
  EditorParts parts(EditorKind kind) const {
    EditorOptions options;
    options.layers = kind == EditorKind::kLora || kind == EditorKind::kMemit ||
                             kind == EditorKind::kMemitHistory || kind == EditorKind::kAlphaEdit ||
                             kind == EditorKind::kUltraEdit
                         ? std::vector<int64_t>{0, 1}
                         : std::vector<int64_t>{0};
    if (kind == EditorKind::kUltraEdit) options.learning_rate = 1e-4;
    if (kind == EditorKind::kWise) {  // the authors' numbers fit larger models
      options.margin_in = options.margin_out = options.margin_between = 0.1;
      options.steps = 12;
      options.shard_edits = 2;
      options.merge_edits = 4;
    }
    options.cov_weight = 1.0;
    options.null_threshold = 1.0;
    return {.settings = editor_settings(kind, options, model.decoder.config()),
            .contexts = {"{}", "So then. {}"},
            .moments =
                [this](int64_t /*layer*/, const std::string& /*module*/) {
                  const int64_t width = model.decoder.config().intermediate_size;
                  // Its own generator: members of a team ask at the same time.
                  const at::Tensor rows =
                      at::randn({4 * width, width}, at::detail::createCPUGenerator(3),
                                at::kDouble) *
                      0.3;
                  return rows.t().matmul(rows) / static_cast<double>(4 * width);
                },
            .max_tokens = 64,
            .seed = 5};
  }
  /// The mean loss of a request's target.
  double loss(const EditRequest& request, const EditLookup* lookup) const {
    const c10::AutoGradMode without_graph(false);
    const RequestTokens tokens =
        request_tokens(editable(), request, kPromptPlace, /*with_subject=*/false);
    TreeSequence sequence{tokens.ids, {}};
    for (size_t i = 0; i < tokens.target_ids.size(); ++i) {
      sequence.labels.push_back(
          {tokens.first_prediction + static_cast<int64_t>(i), tokens.target_ids[i], 0.0});
    }
    const PackedBatch batch =
        pack_sequences({&sequence, 1}, {.share_prefixes = lookup == nullptr}).front();
    UnitPass pass{.weights = model.give()};
    std::optional<PromptProducts> products;
    if (lookup != nullptr) {
      const int64_t prompt = tokens.first_prediction + 1;
      products.emplace(*lookup, lookup_rows(batch, {&prompt, 1}));
      pass.changed = {lookup->layer(), &*products};
    }
    const at::Tensor x =
        model.decoder.forward(batch.input_ids, model.decoder.context(batch, at::kFloat), pass);
    const at::Tensor rows =
        model.decoder.final_norm(x.index_select(0, batch.label_rows), model.weights.back().front());
    const OutputLayer output(model.weights[model.decoder.output_unit()].back());
    return -linear_log_probs(rows, output, batch.label_targets).mean().item<double>();
  }
  double mean_loss(std::span<const EditRequest> requests,
                   const EditLookup* lookup = nullptr) const {
    double sum = 0.0;
    for (const EditRequest& request : requests) sum += loss(request, lookup);
    return sum / static_cast<double>(requests.size());
  }

  const Tokenizer tokenizer = test::byte_tokenizer();
  TinyModel model;
};

/// Calls body(rank, bench, model, overlay, team) as each of two ranks, which are threads with
/// models of their own, and waits for both.
template <typename Body>
void as_two_ranks(const Body& body) {
  Crew crew(2);
  const std::vector<Bench> benches(2);
  std::vector<std::jthread> threads;
  for (int rank = 0; rank < 2; ++rank) {
    threads.emplace_back([&, rank] {
      const auto at = static_cast<size_t>(rank);
      const EditableModel model = benches[at].editable();
      WeightOverlay overlay(model);
      Crew::Member member(crew, rank);
      body(at, benches[at], model, overlay, member);
    });
  }
}

}  // namespace xkde

#endif  // XKDE_TESTS_CORE_EDITING_EDITORS_BENCH_H_
