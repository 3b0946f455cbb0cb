#include "stages/covariance/moment_collector.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/stop_signals.h"
#include "core/io/file_reader.h"
#include "core/model/token_tree.h"
#include "core/text/plural.h"
#include "distributed/comm/agreement.h"
#include "distributed/comm/typed_gather.h"
#include "stages/run/progress.h"
#include "stages/run/work_queue.h"

namespace xkde::recipe {
namespace {

constexpr const char* kSumsFile = "sums.h5";
constexpr int64_t kFirstNote = 1000;  ///< tokens
/// Packs of a rank between two looks at what the others want.
constexpr int64_t kPacksAtOnce = 8;
/// Sums of less are saved at every note.
constexpr int64_t kSmallBytes = int64_t{64} << 20;
/// Others when this much time went by, and so much more than saving took.
constexpr double kSaveEverySeconds = 60.0, kSaveShare = 20.0;

/// What a rank tells the others between its packs.
struct PackTally {
  bool stop_requested = false;
  bool save_is_due = false;  ///< of rank 0
};

/// The square of the Frobenius norm of the whole matrix.
double squares(const at::Tensor& upper) {
  const double all = upper.triu().square().sum().item<double>();
  return 2.0 * all - upper.diagonal().square().sum().item<double>();
}

/// Places of what is saved: sums at the last note, and since.
std::string saved_place(const char* part, const std::string& language, const ObservedInput& input) {
  return concat(part, "/", moment_place(input.layer, input.module(), language));
}

void add_to(at::Tensor& sum, const at::Tensor& part) { sum = sum.defined() ? sum + part : part; }

}  // namespace

MomentCollector::MomentCollector(const CovarianceStage& stage, const TextWindows& windows,
                                 const std::filesystem::path& folder, RunContext& context)
    : stage_(stage),
      windows_(windows),
      file_(folder / kSumsFile),
      context_(context),
      model_(editable_model(context, "plain")),
      team_(context.comm(), context.device()),
      inputs_(observed_inputs(context.decoder(), stage.layers, stage.modules, "covariance.layers")),
      packs_(window_packs(stage, windows)) {
  for (const WindowPack& pack : packs_)
    since_.try_emplace(pack.language, context.decoder(), inputs_, context.device());
  if (context_.is_root()) {
    for (const auto& [language, sums] : since_) {
      for (const ObservedInput& input : inputs_)
        noted_[language][input].upper = at::zeros_like(sums.upper(input));
    }
  }
  load();
}

void MomentCollector::at_root(const std::function<void()>& work) {
  dist::agree_on(context_.comm(), [&] {
    if (context_.is_root()) work();
  });
}

void MomentCollector::run() {
  const int64_t size = context_.comm().size();
  Progress progress("covariance", std::ssize(packs_), static_cast<int64_t>(next_),
                    std::max<int64_t>(1, std::ssize(packs_) / 5), context_.is_root());
  const Stopwatch all;
  const int64_t first = tokens_;
  while (next_ < packs_.size()) {
    const Stopwatch watch;
    const size_t stop = next_note();
    const size_t end = std::min(stop, next_ + static_cast<size_t>(kPacksAtOnce * size));
    const int64_t before = tokens_;
    add(next_, end);
    next_ = end;
    const std::vector<PackTally> ranks = dist::gather(
        context_.comm(),
        PackTally{.stop_requested = stop_requested(), .save_is_due = is_save_due(next_ == stop)});
    // Behind the gather, as this rank may have had none of these packs.
    progress.update(static_cast<int64_t>(end),
                    tokens_per_second(tokens_ - before, watch.seconds()));
    const bool stops = std::ranges::any_of(ranks, &PackTally::stop_requested);
    if (next_ == stop) note();
    const bool is_whole = next_ == packs_.size();
    if (!is_whole && (stops || ranks.front().save_is_due)) save();
    XKDE_CHECK(is_whole || !stops, StopRequested, "stopped on request, sums kept in ",
               file_.parent_path().string());
  }
  log::info(concat("covariance: ", count_of(tokens_ - first, "token"), ", ",
                   tokens_per_second(tokens_ - first, all.seconds())));
}

void MomentCollector::add(size_t begin, size_t end) {
  const auto size = static_cast<size_t>(team_.size());
  for (size_t i = begin; i < end; ++i) {
    const WindowPack& pack = packs_[i];
    tokens_ += pack.tokens;
    if (context_.is_root()) {
      for (auto& [input, sum] : noted_.at(pack.language)) sum.tokens += pack.tokens;
    }
    if (i % size != static_cast<size_t>(team_.rank())) continue;
    std::vector<TreeSequence> sequences;
    for (const size_t window : pack.windows)
      sequences.push_back({windows_.windows[window].ids, {}});
    const PackOptions options{.share_prefixes = false,
                              .max_tokens = pack.tokens,
                              .max_sequences = 0,
                              .device = context_.device()};
    for (const PackedBatch& batch : pack_sequences(sequences, options))
      since_.at(pack.language).add(model_, batch);
  }
}

/// Behind the pack with which tokens are twice those of the last note, or the last pack.
size_t MomentCollector::next_note() const {
  const int64_t wanted = std::max(kFirstNote, 2 * notes_.tokens);
  int64_t tokens = tokens_;
  size_t end = next_;
  while (end < packs_.size() && (tokens < wanted || end == next_)) tokens += packs_[end++].tokens;
  return end;
}

/// How far the mean of all texts moves by what was added `since`, of its norm.
double MomentCollector::change(const at::Tensor& before, const at::Tensor& since) const {
  const at::Tensor now = (before + since) / static_cast<double>(tokens_);
  const at::Tensor last = before / static_cast<double>(notes_.tokens);
  return std::sqrt(squares(now - last) / squares(now));
}

void MomentCollector::note() {
  Json changes = Json::object();
  for (const ObservedInput& input : inputs_) {
    for (const auto& [language, sums] : since_) {
      at::Tensor upper = sums.upper(input);
      team_.add_up(upper);
    }
    at_root([&] {
      at::Tensor before, since;  // of all languages
      for (const auto& [language, sums] : since_) {
        add_to(before, noted_.at(language).at(input).upper);
        add_to(since, sums.upper(input));
      }
      const std::string place = moment_place(input.layer, input.module());
      XKDE_CHECK(std::isfinite(squares(since)), NumericError, "covariance: ", place,
                 ": expected finite inputs, found NaN or infinity");
      if (notes_.tokens > 0) changes[place] = change(before, since);
      for (auto& [language, sums] : since_)
        noted_.at(language).at(input).upper += sums.upper(input);
    });
    for (const auto& [language, sums] : since_) {
      at::Tensor upper = sums.upper(input);
      upper.zero_();
    }
  }
  if (!changes.empty())
    notes_.changes.push_back({{"tokens", tokens_}, {"since", notes_.tokens}, {"change", changes}});
  notes_.tokens = tokens_;
}

/// Rank 0 gets what all have added since the last note.
void MomentCollector::bring_to_root() {
  for (const auto& [language, sums] : since_) {
    for (const ObservedInput& input : inputs_) {
      at::Tensor upper = sums.upper(input);
      team_.add_up(upper);
      if (!context_.is_root()) upper.zero_();
    }
  }
}

bool MomentCollector::is_save_due(bool is_noted) const {
  int64_t bytes = 0;
  for (const auto& [language, sums] : since_) {
    for (const ObservedInput& input : inputs_)
      bytes += static_cast<int64_t>(sums.upper(input).nbytes());
  }
  const bool is_old =
      since_save_.seconds() > std::max(kSaveEverySeconds, kSaveShare * save_seconds_);
  return is_old || (is_noted && bytes < kSmallBytes);
}

void MomentCollector::save() {
  const Stopwatch watch;
  const bool is_noted = notes_.tokens == tokens_;
  if (!is_noted) bring_to_root();
  at_root([&] {
    SecondMomentsByPlace sums;
    for (const auto& [language, by_input] : noted_) {
      for (const auto& [input, sum] : by_input) {
        sums[saved_place("noted", language, input)] = {sum.upper, std::max<int64_t>(1, sum.tokens)};
        if (!is_noted)
          sums[saved_place("since", language, input)] = {since_.at(language).upper(input), 1};
      }
    }
    const Json progress{{"next", next_}, {"noted", notes_.tokens}, {"changes", notes_.changes}};
    write_covariance(file_, sums, {.model = "", .texts = "", .notes = progress.dump()});
  });
  save_seconds_ = watch.seconds();
  since_save_.restart();
}

void MomentCollector::load() {
  std::string progress;
  at_root([&] {
    if (!is_there(file_, FileOrigin::kOwn)) return;
    const CovarianceFile file = CovarianceFile::open(file_);
    progress = file.source().notes;
    for (auto& [language, by_input] : noted_) {
      for (auto& [input, sum] : by_input) {
        sum.upper.copy_(file.read(saved_place("noted", language, input)).mean);
        const std::string place = saved_place("since", language, input);
        at::Tensor since = since_.at(language).upper(input);
        if (std::ranges::count(file.places(), place) > 0) since.copy_(file.read(place).mean);
      }
    }
  });
  progress = dist::broadcast(context_.comm(), progress);
  if (progress.empty()) return;
  const Json saved = parse_json(progress, file_.string());
  next_ = saved.at("next").get<size_t>();
  notes_ = {saved.at("noted").get<int64_t>(), saved.at("changes")};
  for (size_t i = 0; i < next_; ++i) {
    tokens_ += packs_.at(i).tokens;
    if (!context_.is_root()) continue;
    for (auto& [input, sum] : noted_.at(packs_[i].language)) sum.tokens += packs_[i].tokens;
  }
}

void MomentCollector::forget() {
  at_root([&] { remove_tree(file_); });
}

SecondMomentsByPlace MomentCollector::take_means() {
  SecondMomentsByPlace means;
  // One matrix at a time: all of them take much of a host's memory.
  for (const ObservedInput& input : inputs_) {
    Sum all;
    for (auto& [language, by_input] : noted_) {
      Sum sum = std::exchange(by_input.at(input), {});
      add_to(all.upper, sum.upper);
      all.tokens += sum.tokens;
      if (!stage_.per_language) continue;
      means[moment_place(input.layer, input.module(), language)] = {
          whole_of(sum.upper / static_cast<double>(sum.tokens)).cpu(), sum.tokens};
    }
    if (!all.upper.defined()) continue;
    means[moment_place(input.layer, input.module())] = {
        whole_of(all.upper / static_cast<double>(all.tokens)).cpu(), all.tokens};
  }
  return means;
}

}  // namespace xkde::recipe
