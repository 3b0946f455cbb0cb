#include "core/text/xlmr_tokenizer.h"

#include <algorithm>
#include <utility>

#include "core/base/error.h"

namespace xkde {
namespace {

constexpr int64_t kBegin = 0;
constexpr int64_t kPad = 1;
constexpr int64_t kEnd = 2;
constexpr int64_t kUnknown = 3;

}  // namespace

XlmrTokenizer::XlmrTokenizer(SentencePiece pieces) : pieces_(std::move(pieces)) {
  special_.add("<s>", kBegin);
  special_.add("<pad>", kPad);
  special_.add("</s>", kEnd);
  special_.add("<unk>", kUnknown);
  special_.add("<mask>", pieces_.size() + 1, /*takes_spaces=*/true);
}

XlmrTokenizer XlmrTokenizer::open(const std::filesystem::path& model) {
  return XlmrTokenizer(SentencePiece::open_found(model));
}

std::vector<int64_t> XlmrTokenizer::encode(std::string_view text, int64_t max_length) const {
  XKDE_CHECK(max_length >= 2, InternalError, "XLM-R ids: expected room for two, found ",
             max_length);
  std::vector<int64_t> ids = {kBegin};
  for (const SpecialTokens::Part& part : special_.split(text)) {
    if (part.id) {
      ids.push_back(*part.id);
      continue;
    }
    for (const int64_t piece : pieces_.encode(part.text)) {
      ids.push_back(piece == pieces_.unknown_id() ? kUnknown : piece + 1);
    }
  }
  ids.resize(std::min(ids.size(), static_cast<size_t>(max_length - 1)));
  ids.push_back(kEnd);
  return ids;
}

}  // namespace xkde
