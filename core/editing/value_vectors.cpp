#include "core/editing/value_vectors.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <utility>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include "core/base/error.h"
#include "core/base/stop_signals.h"
#include "core/editing/adam.h"
#include "core/editing/request_tokens.h"
#include "core/loss/token_loss.h"
#include "core/nn/device_copy.h"
#include "core/nn/layers.h"
#include "core/nn/products.h"

namespace xkde {
namespace {

/// Rows below which a pass of a CPU takes longer for each row: at 256 a tenth, at 512 nothing to be
/// seen. What a pass of a GPU takes hardly depends on its rows, so that more of them gain nothing.
constexpr int64_t kFewestRows = 256;
/// Groups that there should be, as long as none of them gets too few rows.
constexpr int64_t kFewestGroups = 8;

/// A request's sequences, the essence prompt last where there is one.
struct Task {
  std::vector<RequestTokens> contexts;
  std::optional<RequestTokens> essence;

  int64_t rows() const {  // that a step computes
    int64_t total = essence ? std::ssize(essence->ids) - essence->subject_end : 0;
    for (const RequestTokens& one : contexts) total += std::ssize(one.ids) - one.subject_end;
    return total;
  }
};

/// Requests that are computed together: what their losses look at.
class Group {
 public:
  Group(const EditableModel& model, std::span<const Task> tasks, std::span<const size_t> members,
        const ValueOptions& options)
      : model_(model), size_(std::ssize(members)) {
    std::vector<SuffixSequence> sequences;
    std::vector<int64_t> bare;
    for (size_t vector = 0; vector < members.size(); ++vector) {
      const Task& task = tasks[members[vector]];
      bare.push_back(std::ssize(sequences));
      for (const RequestTokens& one : task.contexts) add(sequences, one, vector);
      if (task.essence) add(sequences, *task.essence, vector);
    }
    pass_.emplace(model, sequences, options.layer, options.place, options.max_tokens);
    std::vector<int64_t> rows, targets, owners, essence_rows;
    std::vector<float> weights;
    size_t sequence = 0;
    for (size_t vector = 0; vector < members.size(); ++vector) {
      const Task& task = tasks[members[vector]];
      for (const RequestTokens& one : task.contexts) {
        const auto length = std::ssize(one.target_ids);
        for (int64_t i = 0; i < length; ++i) {
          rows.push_back(pass_->row(sequence, one.first_prediction + i));
          targets.push_back(one.target_ids[static_cast<size_t>(i)]);
          owners.push_back(static_cast<int64_t>(vector));
          weights.push_back(1.0F / static_cast<float>(length * std::ssize(task.contexts)));
        }
        ++sequence;
      }
      if (task.essence)
        essence_rows.push_back(pass_->row(sequence++, task.essence->first_prediction));
    }
    num_labels_ = std::ssize(rows);
    num_essences_ = std::ssize(essence_rows);
    rows.insert(rows.end(), essence_rows.begin(), essence_rows.end());
    rows_ = to_device(rows, model.device);
    targets_ = to_device(targets, model.device);
    owners_ = to_device(owners, model.device);
    weights_ = to_device(weights, model.device);
    std::vector<at::Tensor> values;
    for (const int64_t at : bare) values.push_back(pass_->value(static_cast<size_t>(at)));
    before_ = at::stack(values);
  }

  /// What stands in the place of the vectors without them, fp32 [G, D].
  const at::Tensor& before() const { return before_; }

  /// Losses of the requests without weight decay, fp32 [G].
  at::Tensor losses(const at::Tensor& vectors, double kl_factor) {
    leaf_ = vectors.detach().requires_grad_(true);
    {
      const c10::AutoGradMode with_graph(true);
      normed_ = model_.decoder.final_norm(pass_->forward(leaf_, rows_),
                                          model_.weights(model_.decoder.head_unit()).front());
    }
    const OutputLayer output(model_.weights(model_.decoder.output_unit()).back(),
                             model_.decoder.logit_cap());
    const at::Tensor hidden = normed_.detach();
    at::Tensor no_gradient;
    const TokenLoss tokens = linear_cross_entropy(hidden.narrow(0, 0, num_labels_), output,
                                                  targets_, weights_, no_gradient);
    at::Tensor losses = at::zeros({size_}, weights_.options());
    losses.index_add_(0, owners_, -tokens.log_probs * weights_);
    normed_grad_ = tokens.hidden_grad;
    if (num_essences_ > 0) {
      at::Tensor essence_grad;
      losses.add_(essence_loss(hidden.narrow(0, num_labels_, num_essences_), output, kl_factor,
                               essence_grad));
      normed_grad_ = at::cat({normed_grad_, essence_grad});
    }
    return losses;
  }

  /// The gradient of the sum of what losses() found, fp32 [G, D]; once.
  at::Tensor gradient() {
    return torch::autograd::grad({std::exchange(normed_, {})}, {leaf_}, {normed_grad_}).front();
  }

 private:
  static void add(std::vector<SuffixSequence>& sequences, const RequestTokens& tokens,
                  size_t vector) {
    sequences.push_back({tokens.ids, tokens.subject_end, vector});
  }

  /// KL(p ‖ p₀) of what the essence prompts have, p, from what they had first, fp32 [G].
  at::Tensor essence_loss(const at::Tensor& hidden, const OutputLayer& output, double factor,
                          at::Tensor& hidden_grad) {
    const at::Tensor logits =
        soft_capped(plain_product(hidden, output.matrix).to(at::kFloat), output.cap);
    const at::Tensor log_probs = at::log_softmax(logits, 1);
    if (!essence_.defined()) essence_ = log_probs;
    const at::Tensor probs = log_probs.exp(), moved = log_probs - essence_;
    const at::Tensor divergence = (probs * moved).sum(1);
    at::Tensor grad = probs * (moved - divergence.unsqueeze(1)) * factor;
    if (output.cap != 0.0) grad.mul_(1.0 - (logits / output.cap).square());
    hidden_grad = product(grad.to(hidden.scalar_type()), output.matrix);
    return divergence * factor;
  }

  const EditableModel& model_;
  int64_t size_;
  std::optional<SuffixPass> pass_;
  int64_t num_labels_ = 0, num_essences_ = 0;
  at::Tensor rows_, targets_, owners_, weights_, before_;
  at::Tensor essence_;                      ///< log-probabilities without vectors, [G, V]
  at::Tensor leaf_, normed_, normed_grad_;  ///< of the last losses()
};

/// A group on its way: vectors with their moments, those that are done and those that go on.
class Search {
 public:
  Search(const EditableModel& model, std::span<const Task> tasks, std::vector<size_t> members,
         const EditorSettings& settings, const ValueOptions& options)
      : members_(std::move(members)),
        settings_(settings),
        group_(model, tasks, members_, options),
        vectors_(start_of(options)),
        adam_({vectors_}, settings.learning_rate),
        norms_(group_.before().norm(2, 1)),
        active_(at::ones({vectors_.size(0)}, at::kBool)) {}

  /// `may_stop`: nobody waits for what is found.
  void run(std::span<const EditRequest> requests, bool may_stop, ValueVectors& found) {
    for (int64_t step = 1; step <= settings_.steps; ++step) {
      if (may_stop) check_stop();
      const at::Tensor losses = group_.losses(vectors_, settings_.kl_factor);
      const at::Tensor lengths = vectors_.norm(2, 1);
      const at::Tensor decay = settings_.weight_decay / norms_.square();
      const at::Tensor all = (losses + decay * lengths).cpu();
      note(all, step, requests, found);
      // What will not be moved needs no gradient.
      if (step == settings_.steps || !active_.any().item<bool>()) break;
      at::Tensor grad = group_.gradient();
      // A norm has no slope at 0.
      grad.add_((decay / lengths).masked_fill(lengths == 0.0, 0.0).unsqueeze(1) * vectors_);
      update(grad);
    }
    const at::Tensor values = group_.before() + vectors_;
    for (size_t i = 0; i < members_.size(); ++i) {
      const auto request = static_cast<int64_t>(members_[i]), own = static_cast<int64_t>(i);
      found.before[request].copy_(group_.before()[own]);
      found.values[request].copy_(values[own]);
    }
  }

 private:
  /// fp32 [G, D], apart from what stands there.
  at::Tensor start_of(const ValueOptions& options) const {
    if (!options.start.defined()) return at::zeros_like(group_.before());
    const at::Tensor own = to_device(members_as_ids(), options.start.device());
    return options.start.index_select(0, own) - group_.before();
  }
  std::vector<int64_t> members_as_ids() const { return {members_.begin(), members_.end()}; }

  void note(const at::Tensor& losses, int64_t step, std::span<const EditRequest> requests,
            ValueVectors& found) {
    const float* values = losses.const_data_ptr<float>();
    bool* active = active_.mutable_data_ptr<bool>();
    for (size_t i = 0; i < members_.size(); ++i) {
      if (!active[i]) continue;
      const size_t request = members_[i];
      XKDE_CHECK(std::isfinite(values[i]), NumericError, "record ", requests[request].record, " (",
                 requests[request].language, "): expected a finite loss at step ", step,
                 " of its value vector, found ", values[i]);
      found.steps[request] = step;
      found.losses[request] = values[i];
      if (values[i] < settings_.stop_loss) active[i] = false;
    }
  }

  void update(const at::Tensor& grad) {
    at::Tensor moved = vectors_.clone();
    adam_.update({moved}, {grad});
    if (settings_.clamp_norm > 0.0) {
      const at::Tensor longest = norms_ * settings_.clamp_norm;
      const at::Tensor lengths = moved.norm(2, 1);
      const at::Tensor shrink = (longest / lengths).masked_fill(lengths <= longest, 1.0);
      moved = moved * shrink.unsqueeze(1);
    }
    vectors_ = at::where(active_.to(moved.device()).unsqueeze(1), moved, vectors_);
  }

  std::vector<size_t> members_;
  const EditorSettings& settings_;
  Group group_;
  at::Tensor vectors_;  ///< fp32 [G, D]
  Adam adam_;
  at::Tensor norms_;   ///< [G], of what stands there without vectors
  at::Tensor active_;  ///< bool [G], in host memory
};

Task task_of(const EditableModel& model, const EditRequest& request, const EditorSettings& settings,
             const ValueOptions& options) {
  Task task;
  for (const std::string& context : options.contexts) {
    RequestTokens tokens = request_tokens(model, request, context, !options.at_prompt_end);
    if (options.at_prompt_end) tokens.subject_end = tokens.first_prediction;
    task.contexts.push_back(std::move(tokens));
  }
  if (settings.kl_factor != 0.0) task.essence = essence_tokens(model, request);
  return task;
}

std::vector<Task> tasks_of(const EditableModel& model, std::span<const EditRequest> requests,
                           const EditorSettings& settings, const ValueOptions& options) {
  std::vector<Task> tasks;
  for (const EditRequest& request : requests)
    tasks.push_back(task_of(model, request, settings, options));
  return tasks;
}

/// As value_groups().
std::vector<int64_t> groups_of(std::span<const Task> tasks, const EditableModel& model,
                               const ValueOptions& options) {
  if (options.one_by_one) return std::vector<int64_t>(tasks.size(), 1);
  std::vector<int64_t> rows;
  for (const Task& task : tasks) rows.push_back(task.rows());
  const int64_t total = std::accumulate(rows.begin(), rows.end(), int64_t{0});
  return group_sizes(rows, most_group_rows(total, model.device, options.max_tokens));
}

/// Everyone gets what each member found.
template <typename T>
void share(std::vector<T>& values, Team& team) {
  std::vector<double> wide(values.begin(), values.end());
  at::Tensor sums = at::tensor(wide, at::TensorOptions().dtype(at::kDouble));
  team.add_up(sums);
  const double* found = sums.const_data_ptr<double>();
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<T>(found[i]);
}

}  // namespace

int64_t most_group_rows(int64_t total, at::Device device, int64_t max_tokens) {
  if (!device.is_cpu()) return max_tokens;
  return std::min(max_tokens, std::max(kFewestRows, total / kFewestGroups));
}

std::vector<int64_t> group_sizes(std::span<const int64_t> rows, int64_t most) {
  std::vector<int64_t> sizes;
  int64_t sum = 0;
  for (const int64_t one : rows) {
    if (sizes.empty() || sum + one > most) {
      sizes.push_back(0);
      sum = 0;
    }
    sum += one;
    ++sizes.back();
  }
  return sizes;
}

std::vector<int64_t> value_groups(const EditableModel& model, std::span<const EditRequest> requests,
                                  const EditorSettings& settings, const ValueOptions& options) {
  return groups_of(tasks_of(model, requests, settings, options), model, options);
}

ValueVectors value_vectors(const EditableModel& model, std::span<const EditRequest> requests,
                           const EditorSettings& settings, const ValueOptions& options,
                           Team& team) {
  const std::vector<Task> tasks = tasks_of(model, requests, settings, options);
  const std::vector<int64_t> groups =
      options.groups.empty() ? groups_of(tasks, model, options) : options.groups;
  XKDE_CHECK(std::accumulate(groups.begin(), groups.end(), int64_t{0}) == std::ssize(requests),
             InternalError, "value vectors: groups of other than ", requests.size(), " requests");
  const int64_t width = model.decoder.config().hidden_size;
  const at::Tensor nothing =
      at::zeros({std::ssize(requests), width}, at::TensorOptions(model.device).dtype(at::kFloat));
  ValueVectors found{.before = nothing.clone(),
                     .values = nothing,
                     .steps = std::vector<int64_t>(requests.size()),
                     .losses = std::vector<double>(requests.size())};
  size_t next = 0;
  for (size_t i = 0; i < groups.size(); ++i) {
    std::vector<size_t> members(static_cast<size_t>(groups[i]));
    std::iota(members.begin(), members.end(), next);
    next += members.size();
    if (static_cast<int>(i) % team.size() != team.rank()) continue;
    Search(model, tasks, std::move(members), settings, options)
        .run(requests, team.size() == 1, found);
  }
  team.add_up(found.before);
  team.add_up(found.values);
  share(found.steps, team);
  share(found.losses, team);
  return found;
}

}  // namespace xkde
