#include "core/edit/quadrants.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <utility>

#include "core/base/error.h"
#include "core/base/rng.h"
#include "core/base/stop_signals.h"
#include "core/edit/prompt.h"

namespace xkde {

namespace {

constexpr std::array<std::string_view, kQuadrants> kNames{"in_with_edit", "in_without_edit",
                                                          "out_with_edit", "out_without_edit"};
using Shares = std::array<double, kQuadrants>;

/// All that is random about one record of a set, but the distractors themselves. Everything is
/// drawn whether it is needed or not, so that options change no other draw.
struct Visit {
  const QaPair* portability = nullptr;    ///< the in-scope question if it is one of these
  const std::string* rephrase = nullptr;  ///< which one is asked; null: src
  const QaPair* locality = nullptr;
  Shares keep{};  ///< a quadrant is kept when this is below its share
  size_t distractors = 0;
  RandomStream rest;  ///< for the distractors
};

/// Null where there is none; `draw` in [0, 1].
template <typename One>
const One* one_of(const std::vector<One>& all, double draw) {
  if (all.empty()) return nullptr;
  const auto drawn = static_cast<size_t>(draw * static_cast<double>(all.size()));
  return &all[std::min(drawn, all.size() - 1)];
}

size_t index_of(const std::vector<double>& shares, double draw) {
  double sum = 0;
  for (size_t i = 0; i < shares.size(); ++i) {
    sum += shares[i];
    if (draw < sum) return i;
  }
  // Shares that add up to just below 1: the last one that can be.
  size_t last = shares.size() - 1;
  while (last > 0 && shares[last] == 0) --last;
  return last;
}

std::string stream_name(const char* what, size_t set_number, const CaseSet& set) {
  return concat("build_data ", what, " ", set_number, " ", set.edit.iso, set.test.iso);
}

Visit draw_visit(const EditCase& one, const QuadrantOptions& options, const std::string& stream) {
  RandomStream random(options.seed, stream, static_cast<uint64_t>(one.index));
  const double portability = random.uniform();
  const double which_portability = random.uniform();
  const double src = random.uniform();
  const double which_locality = random.uniform();
  Shares keep{};
  for (double& draw : keep) draw = random.uniform();
  const size_t distractors = index_of(options.distractors, random.uniform());

  Visit visit{nullptr, nullptr, nullptr, keep, distractors, random};
  // What is above the share is even in the rest of [0, 1), and so draws the rephrase, too.
  if (src >= options.src_share)
    visit.rephrase = one_of(one.rephrases, (src - options.src_share) / (1 - options.src_share));
  if (portability < options.portability_share)
    visit.portability = one_of(one.portability, which_portability);
  visit.locality = one_of(one.locality, which_locality);
  return visit;
}

std::array<bool, kQuadrants> quadrants_of(const EditCase& one, const Visit& visit) {
  const bool knows_old = visit.portability == nullptr && !one.old_answer.empty();
  const bool has_locality = visit.locality != nullptr;
  return {true, knows_old, has_locality, has_locality};
}

/// The parts of a first and b second things to keep so that the first ones have `share` of what is
/// kept and as much as possible is.
std::pair<double, double> balance(double a, double b, double share) {
  const double of_a = share > 0 ? 1 : 0;
  const double of_b = share < 1 ? 1 : 0;
  if (a <= 0 || b <= 0 || share <= 0 || share >= 1) return {of_a, of_b};
  const double ratio = share / (1 - share) * b / a;
  return {std::min(1.0, ratio), std::min(1.0, 1 / ratio)};
}

/// For each quadrant the part to keep of what a set has.
Shares parts_to_keep(const std::array<int64_t, kQuadrants>& there, const QuadrantOptions& options) {
  Shares n{};
  std::copy(there.begin(), there.end(), n.begin());
  const auto [in_with, in_without] = balance(n[0], n[1], options.with_edit_share);
  const auto [out_with, out_without] = balance(n[2], n[3], options.with_edit_share);
  const auto [in, out] = balance(in_with * n[0] + in_without * n[1],
                                 out_with * n[2] + out_without * n[3], options.in_scope_share);
  return {in * in_with, in * in_without, out * out_with, out * out_without};
}

/// One set: how much it has, then its samples.
class SetBuilder {
 public:
  SetBuilder(const CaseSet& set, size_t number, const QuadrantOptions& options)
      : set_(set), options_(options), stream_(stream_name("draws", number, set)) {
    RandomStream order(options.seed, stream_name("order", number, set));
    order_ = order.permutation(static_cast<int64_t>(set.cases.size()));
    std::array<int64_t, kQuadrants> there{};
    for (const EditCase& one : set.cases) {
      const auto has = quadrants_of(one, draw_visit(one, options, stream_));
      for (size_t q = 0; q < kQuadrants; ++q) there[q] += has[q] ? 1 : 0;
    }
    keep_ = parts_to_keep(there, options);
    for (const EditCase& one : set.cases) {
      const Visit visit = draw_visit(one, options, stream_);
      const auto has = quadrants_of(one, visit);
      for (size_t q = 0; q < kQuadrants; ++q) samples_ += is_kept(visit, has, q) ? 1 : 0;
    }
    if (options.samples_per_pair > 0) samples_ = std::min(samples_, options.samples_per_pair);
  }

  bool is_monolingual() const { return set_.edit.iso == set_.test.iso; }
  int64_t samples() const { return samples_; }

  /// Appends `count` samples, at most samples().
  void append(int64_t count, QuadrantSamples& out) {
    const size_t end = out.examples.size() + static_cast<size_t>(count);
    for (size_t i = 0; i < order_.size() && out.examples.size() < end; ++i)
      append_visit(set_.cases[static_cast<size_t>(order_[i])], end, out);
  }

 private:
  bool is_kept(const Visit& visit, const std::array<bool, kQuadrants>& has, size_t q) const {
    return has[q] && visit.keep[q] < keep_[q];
  }

  void append_visit(const EditCase& one, size_t end, QuadrantSamples& out) {
    check_stop();
    Visit visit = draw_visit(one, options_, stream_);
    const auto has = quadrants_of(one, visit);
    auto& skipped = out.statistics.skipped;
    if (visit.portability == nullptr && one.old_answer.empty()) ++skipped["old answer unknown"];
    if (visit.portability != nullptr) ++skipped["old answer of portability unknown"];
    if (visit.locality == nullptr) ++skipped["no question out of scope"];
    std::vector<std::string> facts;
    for (size_t q = 0; q < kQuadrants; ++q) {
      if (!has[q]) continue;
      if (!is_kept(visit, has, q)) {
        ++skipped["thinned out for a share"];
        continue;
      }
      if (out.examples.size() == end) break;
      if (facts.empty()) facts = facts_of(one, visit, skipped);
      append_sample(one, visit, static_cast<Quadrant>(q), facts, out);
    }
  }

  void append_sample(const EditCase& one, const Visit& visit, Quadrant quadrant,
                     const std::vector<std::string>& facts, QuadrantSamples& out) const {
    const bool in_scope = quadrant == Quadrant::kInWithEdit || quadrant == Quadrant::kInWithoutEdit;
    const bool with_edit = quadrant == Quadrant::kInWithEdit || quadrant == Quadrant::kOutWithEdit;
    QaPair probe{visit.rephrase == nullptr ? one.src : *visit.rephrase,
                 with_edit ? one.alt : one.old_answer};
    if (in_scope && visit.portability != nullptr) probe = *visit.portability;
    if (!in_scope) probe = *visit.locality;
    const std::string pair = set_.edit.iso + set_.test.iso;
    const std::string_view name = quadrant_name(quadrant);
    out.examples.push_back(
        {concat("identity_", out.examples.size(), "_", set_.source, "_", pair, "_", name),
         probe.question,
         with_edit ? edit_prompt(facts, probe.question, set_.test, options_.prompt_language)
                   : probe.question,
         probe.answer,
         {set_.edit.iso, set_.test.iso}});
    QuadrantStatistics& statistics = out.statistics;
    ++statistics.sources[set_.source];
    ++statistics.pairs[pair];
    ++statistics.quadrants[std::string(name)];
    ++statistics.facts[std::to_string(with_edit ? facts.size() : 0)];
  }

  std::vector<std::string> facts_of(const EditCase& one, Visit& visit,
                                    std::map<std::string, int64_t>& skipped) {
    std::vector<std::string> facts{one.fact};
    if (visit.distractors == 0) return facts;
    std::vector<size_t> near = distractors_near(one);
    if (near.size() < visit.distractors) {
      ++skipped["too few distractors"];
      return facts;
    }
    for (size_t i = 0; i < visit.distractors; ++i) {
      const size_t drawn = visit.rest.below(near.size());
      facts.push_back(set_.cases[near[drawn]].fact);
      near.erase(near.begin() + static_cast<std::ptrdiff_t>(drawn));
    }
    return facts;
  }

  std::vector<size_t> distractors_near(const EditCase& one) {
    if (!nearest_) {
      std::vector<std::string> facts;
      for (const EditCase& any : set_.cases) facts.push_back(any.fact);
      nearest_ = options_.search(facts);
    }
    std::vector<size_t> near = nearest_(one.fact, kNeighbours);
    std::vector<std::string_view> seen{one.fact};
    std::erase_if(near, [&](size_t i) {
      const EditCase& other = set_.cases.at(i);
      if (!one.subject.empty() && other.subject == one.subject) return true;
      // A fact that is there twice may not be shown twice either.
      if (std::find(seen.begin(), seen.end(), other.fact) != seen.end()) return true;
      seen.push_back(other.fact);
      return false;
    });
    return near;
  }

  const CaseSet& set_;
  const QuadrantOptions& options_;
  std::string stream_;
  std::vector<int64_t> order_;
  Shares keep_{};
  int64_t samples_ = 0;
  NearestFacts nearest_;
};

/// Integers that add up to `total`, in proportion to `counts` (largest remainders).
std::vector<int64_t> in_proportion(const std::vector<int64_t>& counts, int64_t total) {
  const int64_t sum = std::accumulate(counts.begin(), counts.end(), int64_t{0});
  std::vector<int64_t> parts;
  std::vector<size_t> order(counts.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::vector<int64_t> remainders;
  for (const int64_t count : counts) {
    parts.push_back(count * total / sum);
    remainders.push_back(count * total % sum);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return remainders[a] > remainders[b]; });
  int64_t left = total - std::accumulate(parts.begin(), parts.end(), int64_t{0});
  for (size_t i = 0; left > 0; ++i, --left) ++parts[order[i]];
  return parts;
}

/// How many samples each set gives.
std::vector<int64_t> quotas(const std::vector<SetBuilder>& sets, const QuadrantOptions& options) {
  double monolingual = 0, crosslingual = 0;
  for (const SetBuilder& set : sets)
    (set.is_monolingual() ? monolingual : crosslingual) += static_cast<double>(set.samples());
  const auto [mono, cross] = balance(monolingual, crosslingual, options.monolingual_share);
  std::vector<int64_t> counts;
  for (const SetBuilder& set : sets) {
    const double part = set.is_monolingual() ? mono : cross;
    counts.push_back(std::llround(part * static_cast<double>(set.samples())));
  }
  const int64_t sum = std::accumulate(counts.begin(), counts.end(), int64_t{0});
  if (options.max_samples == 0 || sum <= options.max_samples) return counts;
  return in_proportion(counts, options.max_samples);
}

}  // namespace

std::string_view quadrant_name(Quadrant quadrant) {
  return kNames.at(static_cast<size_t>(quadrant));
}

QuadrantSamples build_quadrants(const std::vector<CaseSet>& sets, const QuadrantOptions& options) {
  std::vector<SetBuilder> builders;
  builders.reserve(sets.size());
  for (size_t i = 0; i < sets.size(); ++i) builders.emplace_back(sets[i], i, options);
  const std::vector<int64_t> counts = quotas(builders, options);
  QuadrantSamples samples;
  for (size_t i = 0; i < builders.size(); ++i) builders[i].append(counts[i], samples);
  return samples;
}

}  // namespace xkde
