#include "stages/covariance/text_windows.h"

#include <algorithm>
#include <limits>
#include <map>
#include <utility>

#include "core/base/error.h"
#include "core/base/stop_signals.h"
#include "core/capability/text_documents.h"

namespace xkde::recipe {
namespace {

/// The windows of one text, one after another.
class TextCutter {
 public:
  TextCutter(const TextSource& source, const Tokenizer& tokenizer)
      : documents_(read_text_documents(source.data, source.documents).documents),
        tokenizer_(tokenizer) {}

  /// At most `length` tokens of one document; none at the text's end.
  std::vector<int64_t> next(int64_t length) {
    while (at_ == std::ssize(ids_)) {
      if (document_ == documents_.size()) return {};
      ids_ = tokenizer_.encode(documents_[document_++].text, /*add_special_tokens=*/true);
      at_ = 0;
    }
    const auto begin = ids_.begin() + at_;
    at_ += std::min(length, std::ssize(ids_) - at_);
    return {begin, ids_.begin() + at_};
  }
  int64_t documents() const { return static_cast<int64_t>(document_); }

 private:
  std::vector<TextDocument> documents_;
  const Tokenizer& tokenizer_;
  std::vector<int64_t> ids_;
  int64_t at_ = 0;
  size_t document_ = 0;  ///< that comes next
};

}  // namespace

TextWindows text_windows(const CovarianceStage& stage, const Tokenizer& tokenizer, int64_t length) {
  std::vector<TextCutter> cutters;
  std::vector<size_t> left;
  for (const TextSource& text : stage.texts) {
    left.push_back(cutters.size());
    cutters.emplace_back(text, tokenizer);
  }
  TextWindows all;
  all.shares.resize(cutters.size());
  const int64_t most =
      stage.max_tokens > 0 ? stage.max_tokens : std::numeric_limits<int64_t>::max();
  while (!left.empty() && all.tokens < most) {
    check_stop();
    const auto next =
        std::ranges::min_element(left, {}, [&](size_t text) { return all.shares[text].tokens; });
    std::vector<int64_t> ids = cutters[*next].next(std::min(length, most - all.tokens));
    if (ids.empty()) {
      left.erase(next);
      continue;
    }
    all.tokens += std::ssize(ids);
    all.shares[*next].tokens += std::ssize(ids);
    all.windows.push_back({*next, std::move(ids)});
  }
  for (size_t i = 0; i < cutters.size(); ++i) all.shares[i].documents = cutters[i].documents();
  XKDE_CHECK(all.tokens > 0, DataError, stage.texts.front().data.string(),
             ": expected a text with tokens, found none");
  return all;
}

std::vector<WindowPack> window_packs(const CovarianceStage& stage, const TextWindows& all) {
  std::vector<WindowPack> packs;
  std::map<std::string, WindowPack> open;  // by language
  for (size_t i = 0; i < all.windows.size(); ++i) {
    const TextWindow& window = all.windows[i];
    const std::string language = stage.per_language ? stage.texts[window.text].lang : "";
    WindowPack& pack = open[language];
    const int64_t tokens = std::ssize(window.ids);
    if (pack.tokens > 0 && pack.tokens + tokens > stage.max_tokens_per_batch)
      packs.push_back(std::exchange(pack, {}));
    pack.language = language;
    pack.windows.push_back(i);
    pack.tokens += tokens;
  }
  for (auto& [language, pack] : open) packs.push_back(std::move(pack));
  return packs;
}

}  // namespace xkde::recipe
