#ifndef XKDE_CORE_TEXT_TOKENIZER_TEXT_STEP_H_
#define XKDE_CORE_TEXT_TOKENIZER_TEXT_STEP_H_

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/base/limits.h"

namespace xkde {

/// A stretch of text on its way from the input to the model.
struct Piece {
  std::string text;
  /// Whether it begins where the whole input begins (Metaspace's "first" asks for it).
  bool at_start = false;
};

inline size_t bytes_of(const std::string& text) { return text.size(); }
inline size_t bytes_of(const Piece& piece) { return piece.text.size(); }
template <typename Part>
size_t bytes_of(const std::vector<Part>& parts) {
  size_t total = 0;
  for (const Part& part : parts) total += bytes_of(part);
  return total;
}

/// A step of tokenizer.json that rewrites text, alone or as one of a sequence. The file says what a
/// step does, so that no text may grow beyond limits::grown_text. Immutable, thread-safe.
template <typename Text>
class TextStep {
 public:
  virtual ~TextStep() = default;
  /// Throws DataError naming the step that lets the text grow too much.
  void apply(Text& text) const { apply_within(text, limits::grown_text(bytes_of(text))); }
  /// The same for a text of at most `most` bytes in all.
  void apply_within(Text& text, size_t most) const {
    rewrite(text, most);
    check_growth(bytes_of(text), most);
  }
  void set_place(std::string place) { place_ = std::move(place); }

 protected:
  /// `most`: for a step that can make much out of little, which asks check_growth() on its way.
  virtual void rewrite(Text& text, size_t most) const = 0;
  void check_growth(size_t bytes, size_t most) const {
    XKDE_CHECK(bytes <= most, DataError, place_, ": expected a text of at most ", most,
               " bytes after this step (", limits::kTextGrowth, " times the input's and ",
               limits::kTextRoom, "), found at least ", bytes);
  }

 private:
  std::string place_;
};

}  // namespace xkde

#endif  // XKDE_CORE_TEXT_TOKENIZER_TEXT_STEP_H_
