#include "distributed/planner/planner.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <ranges>

#include <fmt/format.h>

#include "core/base/error.h"

namespace xkde::dist {
namespace {

// Predictions closer than this are taken as equal: the planner is not that good.
constexpr double kSameTime = 1.02;
// Of the bytes of one choice, what another as fast must get by with to be preferred.
constexpr double kWorthwhile = 0.9;

double bytes(const Plan& plan) { return static_cast<double>(plan.memory.peak()); }

bool fits(const Plan& plan, const PlanRequest& request) {
  return plan.memory.peak() <= request.available_bytes;
}

/// Of computing alone, hidden behind communication or not.
double work_seconds(const Plan& plan) { return plan.seconds.total() - plan.seconds.exposed; }

std::vector<ShardMode> modes_of(const PlanRequest& request) {
  if (request.shard) return {*request.shard};
  // With one shard the modes are one and the same.
  if (request.ranks == request.options.replicate) return {EngineOptions{}.shard};
  std::vector<ShardMode> modes;
  for (const ShardPolicy& policy : std::views::reverse(kShardPolicies)) {
    // Without shards every rank is a copy: another number of copies asks for shards.
    if (policy.shards || request.options.replicate == 1) modes.push_back(policy.value);
  }
  return modes;
}

std::vector<Recompute> recomputes_of(const PlanRequest& request) {
  if (request.recompute) return {*request.recompute};
  return {Recompute::kNone, Recompute::kBlock};
}

std::string in_words(const EngineOptions& options) {
  return concat("shard ", options.policy().name, ", recompute ",
                name_of(kRecomputeNames, options.recompute));
}

std::string in_time(double seconds) {
  return seconds < 1.0 ? fmt::format("{:.0f} ms", 1e3 * seconds) : fmt::format("{:.2f} s", seconds);
}

/// What a user can change, in the order of what it costs.
std::string ways_out(const PlanRequest& request, const Plan& smallest) {
  std::string keys;
  const auto add = [&keys](const std::string& key) { keys += (keys.empty() ? "" : ", ") + key; };
  const ShardPolicy& least = *std::begin(kShardPolicies);
  if (request.shard && *request.shard != least.value && request.ranks > 1) {
    add(concat("parallel.shard=", least.name));
  }
  if (request.recompute == Recompute::kNone) add("parallel.recompute=block");
  const int64_t by_tokens = smallest.memory.activations + smallest.memory.head;
  if (by_tokens > smallest.memory.peak() / 20) add("a smaller " + request.pack_key);
  if (request.options.replicate > 1) add("a smaller parallel.replicate");
  if (request.options.device.is_cuda() && !request.options.offload_optimizer) {
    add("parallel.offload_optimizer=true");
  }
  add(request.options.device.is_cuda() ? "more ranks" : "more ranks on other hosts");
  return keys;
}

/// Why `best` was taken from `plans`.
std::string reason_for(const Plan& best, const std::vector<Plan>& plans,
                       const PlanRequest& request) {
  if (plans.size() == 1) return "as the recipe says";
  const Plan* faster = nullptr;
  const Plan* next = nullptr;
  for (const Plan& plan : plans) {
    const bool is_best = plan.options.shard == best.options.shard &&
                         plan.options.recompute == best.options.recompute;
    if (is_best) continue;
    if (!fits(plan, request) && plan.seconds.total() < best.seconds.total() &&
        (faster == nullptr || plan.memory.peak() < faster->memory.peak())) {
      faster = &plan;
    }
    if (fits(plan, request) && (next == nullptr || plan.seconds.total() < next->seconds.total()))
      next = &plan;
  }
  if (faster != nullptr) {
    return concat("the fastest that fits; ", in_words(faster->options), " needs ",
                  in_gigabytes(faster->memory.peak()));
  }
  if (next == nullptr) return "the only one that fits";
  const bool as_fast = next->seconds.total() <= kSameTime * best.seconds.total();
  if (as_fast && bytes(best) <= kWorthwhile * bytes(*next)) {
    return concat("as fast as ", in_words(next->options), " within the model's error, with ",
                  in_gigabytes(best.memory.peak()), " in place of ",
                  in_gigabytes(next->memory.peak()));
  }
  return concat("the fastest; ", in_words(next->options), " would take ",
                in_time(next->seconds.total()), " a step");
}

[[noreturn]] void refuse(const PlanRequest& request, const std::vector<Plan>& plans) {
  const Plan& smallest = *std::min_element(
      plans.begin(), plans.end(),
      [](const Plan& a, const Plan& b) { return a.memory.peak() < b.memory.peak(); });
  throw ConfigError(concat("parallel: a rank of ", request.ranks, " needs ", smallest.memory.peak(),
                           " bytes (", in_gigabytes(smallest.memory.peak()), ") with ",
                           in_words(smallest.options), ", available are ", request.available_bytes,
                           " (", in_gigabytes(request.available_bytes),
                           "); what would help: ", ways_out(request, smallest)));
}

}  // namespace

std::string in_gigabytes(int64_t bytes) {
  return fmt::format("{:.2f} GB", static_cast<double>(bytes) / 1e9);
}

std::vector<Plan> possible_plans(const PlanRequest& request) {
  std::vector<Plan> plans;
  for (const ShardMode shard : modes_of(request)) {
    for (const Recompute recompute : recomputes_of(request)) {
      Plan plan;
      plan.options = request.options;
      plan.options.shard = shard;
      plan.options.recompute = recompute;
      plan.memory = predict_memory(request.model, plan.options, request.ranks, request.largest,
                                   request.memory);
      plan.seconds =
          predict_step(request.model, plan.options, request.ranks, request.work, request.machine);
      plans.push_back(std::move(plan));
    }
  }
  return plans;
}

Plan choose_plan(const PlanRequest& request) {
  const std::vector<Plan> plans = possible_plans(request);
  double fastest = std::numeric_limits<double>::infinity();
  for (const Plan& plan : plans) {
    if (fits(plan, request)) fastest = std::min(fastest, plan.seconds.total());
  }
  if (std::isinf(fastest)) refuse(request, plans);
  std::vector<const Plan*> as_fast;
  for (const Plan& plan : plans) {
    const bool is_as_fast = plan.seconds.total() <= kSameTime * fastest;
    if (fits(plan, request) && is_as_fast) as_fast.push_back(&plan);
  }
  const Plan& smallest =
      **std::min_element(as_fast.begin(), as_fast.end(),
                         [](const Plan* a, const Plan* b) { return bytes(*a) < bytes(*b); });
  // Of those that need about as little, the one that computes least.
  std::stable_sort(as_fast.begin(), as_fast.end(), [](const Plan* a, const Plan* b) {
    return work_seconds(*a) < work_seconds(*b);
  });
  const auto best = std::find_if(as_fast.begin(), as_fast.end(), [&](const Plan* plan) {
    return kWorthwhile * bytes(*plan) <= bytes(smallest);
  });
  Plan chosen = **best;
  chosen.reason = reason_for(chosen, plans, request);
  return chosen;
}

}  // namespace xkde::dist
