#include "core/capability/likelihood_encoder.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "core/base/error.h"
#include "core/text/jinja/python/python_text.h"

namespace xkde {

std::vector<ScoredSequence> rolling_windows(std::span<const int64_t> ids, int64_t prefix,
                                            int64_t longest) {
  std::vector<ScoredSequence> windows;
  const auto most = static_cast<size_t>(longest);
  for (size_t begin = 0; begin < ids.size();) {
    const size_t count = std::min(ids.size() - begin, most);
    const size_t end = begin + count;
    ScoredSequence window;
    if (begin == 0) window.ids.push_back(prefix);
    const size_t first = begin == 0 ? 0 : end - most - 1;
    const auto seen = ids.subspan(first, end - 1 - first);
    window.ids.insert(window.ids.end(), seen.begin(), seen.end());
    const auto predicted = ids.subspan(begin, count);
    window.target_ids.assign(predicted.begin(), predicted.end());
    window.first_prediction = std::ssize(window.ids) - static_cast<int64_t>(count);
    windows.push_back(std::move(window));
    begin = end;
  }
  return windows;
}

LikelihoodEncoder::LikelihoodEncoder(const Tokenizer& tokenizer, bool add_special_tokens,
                                     int64_t longest)
    : tokenizer_(tokenizer),
      add_special_tokens_(add_special_tokens),
      longest_(longest),
      prefix_(tokenizer.bos_id() ? tokenizer.bos_id() : tokenizer.eos_id()) {
  if (prefix_)
    prefix_text_ = tokenizer.decode(std::vector<int64_t>{*prefix_}, /*skip_special_tokens=*/false);
}

int64_t LikelihoodEncoder::prefix(const std::string& place) const {
  XKDE_CHECK(prefix_, ConfigError, place,
             ": expected a tokenizer with a BOS or EOS token to stand before the text, found "
             "neither");
  return *prefix_;
}

std::vector<int64_t> LikelihoodEncoder::encode(const std::string& text) const {
  // A text that says BOS itself does not get it twice.
  const bool has_prefix = !prefix_text_.empty() && text.starts_with(prefix_text_);
  return add_special_tokens_ && !has_prefix ? tokenizer_.encode_beginning(text)
                                            : tokenizer_.encode(text);
}

std::vector<int64_t> LikelihoodEncoder::continuation(const std::string& context, size_t num_context,
                                                     const std::string& text) const {
  if (!context.empty()) {
    std::vector<int64_t> ids = encode(context + text);
    ids.erase(ids.begin(),
              ids.begin() + static_cast<std::ptrdiff_t>(std::min(num_context, ids.size())));
    return ids;
  }
  std::vector<int64_t> ids = tokenizer_.encode(text);
  if (!ids.empty() && ids.front() == prefix_) ids.erase(ids.begin());
  return ids;
}

EncodedChoices LikelihoodEncoder::choices(const ChoiceRow& row, const std::string& delimiter,
                                          const std::string& place) const {
  const std::string context(jinja::python::strip_right(row.context));
  const std::string blanks = row.context.substr(context.size());
  const std::vector<int64_t> context_ids =
      context.empty() ? std::vector<int64_t>{prefix(place)} : encode(context);
  XKDE_CHECK(!context_ids.empty(), DataError, place,
             ": context: expected at least one token, found none");
  EncodedChoices encoded;
  for (size_t i = 0; i < row.choices.size(); ++i) {
    ScoredSequence sequence;
    sequence.target_ids =
        continuation(context, context_ids.size(), blanks + delimiter + row.choices[i]);
    const int64_t count = std::ssize(sequence.target_ids);
    XKDE_CHECK(count > 0, DataError, place, ": choices.", i,
               ": expected at least one token behind the context, found none");
    XKDE_CHECK(count <= longest_, DataError, place, ": choices.", i, ": expected at most the ",
               longest_, " tokens that the model sees, found ", count);
    sequence.ids = context_ids;
    // The last token predicts nothing that is asked.
    sequence.ids.insert(sequence.ids.end(), sequence.target_ids.begin(),
                        sequence.target_ids.end() - 1);
    const int64_t cut = std::max<int64_t>(0, std::ssize(sequence.ids) - longest_);
    sequence.ids.erase(sequence.ids.begin(), sequence.ids.begin() + cut);
    sequence.first_prediction = std::ssize(sequence.ids) - count;
    encoded.cut = std::max(encoded.cut, cut);
    encoded.sequences.push_back(std::move(sequence));
  }
  return encoded;
}

std::vector<ScoredSequence> LikelihoodEncoder::windows(std::string_view text,
                                                       const std::string& place) const {
  const std::vector<int64_t> ids = tokenizer_.encode(text);
  XKDE_CHECK(!ids.empty(), DataError, place, ": expected at least one token, found none");
  return rolling_windows(ids, prefix(place), longest_);
}

}  // namespace xkde
