#ifndef XKDE_CORE_TEXT_TOKENIZER_POST_PROCESSOR_H_
#define XKDE_CORE_TEXT_TOKENIZER_POST_PROCESSOR_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/text/regex/json_place.h"

namespace xkde {

/// What special tokens stand around a text: "post_processor" of tokenizer.json for a single
/// sequence. Immutable, thread-safe.
class PostProcessor {
 public:
  /// TemplateProcessing, ByteLevel (which changes offsets only), Sequence; null. Throws DataError
  /// for any other.
  explicit PostProcessor(const JsonPlace& place);
  /// BOS before and EOS after, as far as given.
  PostProcessor(std::vector<int64_t> before, std::vector<int64_t> after)
      : before_(std::move(before)), after_(std::move(after)) {}

  std::vector<int64_t> apply(std::vector<int64_t> ids) const;
  const std::vector<int64_t>& before() const noexcept { return before_; }
  int64_t largest_id() const;  ///< of those around a text; -1: there are none

 private:
  void read(const JsonPlace& place);
  void read_template(const JsonPlace& place);

  std::vector<int64_t> before_;
  std::vector<int64_t> after_;
};

}  // namespace xkde

#endif  // XKDE_CORE_TEXT_TOKENIZER_POST_PROCESSOR_H_
