#include "core/capability/capability_items.h"

#include <utility>

#include "core/base/common_prefix.h"
#include "core/base/error.h"
#include "core/capability/likelihood_encoder.h"

namespace xkde {
namespace {

std::string place_in(const std::filesystem::path& file, int64_t line) {
  return concat(file.string(), ": line ", line);
}

int64_t tokens_of(const CapabilityItem& item) {
  int64_t tokens = 0;
  for (size_t i = 0; i < item.sequences.size(); ++i) {
    const std::vector<int64_t>& ids = item.sequences[i].ids;
    tokens += std::ssize(ids);
    if (i > 0) tokens -= common_prefix(ids, item.sequences[i - 1].ids);
  }
  return tokens;
}

}  // namespace

std::vector<CapabilityItem> capability_items(const CapabilityOptions& options,
                                             const CapabilityInputs& inputs,
                                             const Tokenizer& tokenizer, int64_t context_length) {
  XKDE_CHECK(options.max_length <= context_length, ConfigError,
             "capability.max_length: expected at most the ", context_length,
             " tokens of the model's context, found ", options.max_length);
  const int64_t longest = options.max_length > 0 ? options.max_length : context_length;
  const LikelihoodEncoder encoder(tokenizer, options.add_special_tokens, longest);
  std::vector<CapabilityItem> items;
  for (size_t file = 0; file < inputs.perplexity.size(); ++file) {
    const std::vector<TextDocument>& documents = inputs.perplexity[file].documents;
    for (size_t i = 0; i < documents.size(); ++i) {
      const std::string place = place_in(options.perplexity[file].data, documents[i].line);
      for (ScoredSequence& window : encoder.windows(documents[i].text, place))
        items.push_back({true, file, i, 0, {std::move(window)}});
    }
  }
  for (size_t file = 0; file < inputs.choices.size(); ++file) {
    const ChoiceSource& source = options.choices[file];
    for (size_t i = 0; i < inputs.choices[file].size(); ++i) {
      const ChoiceRow& row = inputs.choices[file][i];
      EncodedChoices encoded =
          encoder.choices(row, source.target_delimiter, place_in(source.data, row.line));
      items.push_back({false, file, i, encoded.cut, std::move(encoded.sequences)});
    }
  }
  return items;
}

std::string place_of(const CapabilityItem& item, const CapabilityOptions& options,
                     const CapabilityInputs& inputs) {
  return item.is_window
             ? place_in(options.perplexity[item.file].data,
                        inputs.perplexity[item.file].documents[item.row].line)
             : place_in(options.choices[item.file].data, inputs.choices[item.file][item.row].line);
}

std::vector<ItemChunk> item_chunks(std::span<const CapabilityItem> items, int64_t max_tokens) {
  std::vector<ItemChunk> chunks;
  int64_t tokens = 0;
  for (size_t i = 0; i < items.size(); ++i) {
    const int64_t own = tokens_of(items[i]);
    if (chunks.empty() || tokens + own > max_tokens) {
      chunks.push_back({i, 0});
      tokens = 0;
    }
    ++chunks.back().count;
    tokens += own;
  }
  return chunks;
}

}  // namespace xkde
