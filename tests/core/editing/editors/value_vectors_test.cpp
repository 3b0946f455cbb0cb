#include "core/editing/value_vectors.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "core/editing/adam.h"
#include "core/editing/request_tokens.h"
#include "core/editing/suffix_pass.h"
#include "tests/core/editing/editors/bench.h"

namespace xkde {
namespace {

/// The loss of one request as docs/decisions/0009-editors.md has it, left to autograd.
class PlainLoss {
 public:
  PlainLoss(const Bench& bench, const EditableModel& model, const EditRequest& request,
            const ValueOptions& options)
      : bench_(bench), model_(model) {
    for (const std::string& context : options.contexts)
      contexts_.push_back(request_tokens(model, request, context, /*with_subject=*/true));
    essence_ = essence_tokens(model, request);
    std::vector<SuffixSequence> sequences;
    for (const RequestTokens& one : contexts_) sequences.push_back({one.ids, one.subject_end, 0});
    sequences.push_back({essence_.ids, essence_.subject_end, 0});
    pass_.emplace(model, sequences, options.layer, options.place, options.max_tokens);
    clean_ = essence(at::zeros({1, before().size(0)}));
  }

  at::Tensor before() const { return pass_->value(0); }

  at::Tensor operator()(const at::Tensor& vector, double kl_factor) const {
    at::Tensor loss = at::zeros({});
    for (size_t i = 0; i < contexts_.size(); ++i) {
      const RequestTokens& one = contexts_[i];
      const auto length = std::ssize(one.target_ids);
      const at::Tensor rows =
          log_probs(vector).narrow(0, pass_->row(i, one.first_prediction), length);
      const at::Tensor targets = at::tensor(one.target_ids).unsqueeze(1);
      loss = loss - rows.gather(1, targets).mean() / static_cast<double>(contexts_.size());
    }
    const at::Tensor now = essence(vector);
    return loss + (now.exp() * (now - clean_)).sum() * kl_factor;
  }

 private:
  at::Tensor log_probs(const at::Tensor& vector) const {
    const at::Tensor normed =
        bench_.model.decoder.final_norm(pass_->forward(vector, at::arange(pass_->num_rows())),
                                        model_.weights(bench_.model.decoder.head_unit()).front());
    return at::log_softmax(
        normed.matmul(model_.weights(bench_.model.decoder.output_unit()).back().t()), 1);
  }
  at::Tensor essence(const at::Tensor& vector) const {
    return log_probs(vector)[pass_->row(contexts_.size(), essence_.subject_end)];
  }

  const Bench& bench_;
  const EditableModel& model_;
  std::vector<RequestTokens> contexts_;
  RequestTokens essence_;
  std::optional<SuffixPass> pass_;
  at::Tensor clean_;
};

/// The divergence weighs so much that either of its two directions would go another way.
TEST(ValueVectors, AreWhatAutogradFindsOfTheirLoss) {
  const Bench bench;
  const EditableModel editable = bench.editable();
  const std::vector<EditRequest> all = some_requests();
  const ValueOptions options{
      .layer = 0, .place = VectorPlace::kBlockOutput, .contexts = {"{}", "So then. {}"}};
  EditorSettings settings = bench.parts(EditorKind::kMemit).settings;
  settings.steps = 6;
  settings.kl_factor = 4.0;
  settings.learning_rate = 0.3;
  settings.weight_decay = settings.stop_loss = settings.clamp_norm = 0.0;
  Solo solo;
  const ValueVectors found =
      value_vectors(editable, std::span(all).first(1), settings, options, solo);

  const PlainLoss loss_of(bench, editable, all[0], options);
  at::Tensor vector = at::zeros({1, loss_of.before().size(0)});
  Adam adam({vector}, settings.learning_rate);
  for (int64_t step = 1; step < settings.steps; ++step) {
    const at::Tensor leaf = vector.clone().requires_grad_(true);
    const c10::AutoGradMode with_graph(true);
    const at::Tensor loss = loss_of(leaf, settings.kl_factor);
    const at::Tensor grad = torch::autograd::grad({loss}, {leaf}).front();
    const c10::AutoGradMode without_graph(false);
    adam.update({vector}, {grad});
  }
  EXPECT_NEAR(found.losses[0], loss_of(vector, settings.kl_factor).item<double>(), 1e-4);
  EXPECT_GT(vector.norm().item<double>(), 1.0);
  EXPECT_TRUE(at::allclose(found.values, found.before + vector, 1e-4, 1e-5));
}

}  // namespace
}  // namespace xkde
