#ifndef XKDE_CORE_CAPABILITY_CAPABILITY_ITEMS_H_
#define XKDE_CORE_CAPABILITY_CAPABILITY_ITEMS_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/capability/capability_inputs.h"
#include "core/edit/scored_sequence.h"
#include "core/text/tokenizer/tokenizer.h"

namespace xkde {

/// What is asked at once: a window of a document, or the choices of a row.
struct CapabilityItem {
  bool is_window = false;
  size_t file = 0;  ///< index in the options' list of its kind
  size_t row = 0;   ///< index of the document or the row in its file
  int64_t cut = 0;  ///< tokens of the context that the model does not see
  std::vector<ScoredSequence> sequences = {};
};

/// All that a capability stage asks: windows first, then rows, by file and place in it.
/// `context_length`: tokens of the model's context. Throws DataError that names file, line and
/// field, ConfigError where options.max_length is more than the model's context (LikelihoodEncoder
/// says the rest).
std::vector<CapabilityItem> capability_items(const CapabilityOptions& options,
                                             const CapabilityInputs& inputs,
                                             const Tokenizer& tokenizer, int64_t context_length);

/// "FILE: line 3" of an item, for messages.
std::string place_of(const CapabilityItem& item, const CapabilityOptions& options,
                     const CapabilityInputs& inputs);

/// Neighbours in the list of items, which a rank takes at once.
struct ItemChunk {
  size_t first = 0;
  size_t count = 0;
};

/// Cuts the items where their tokens, common beginnings of an item's sequences counted once, come
/// to more than `max_tokens`. An item of more is a chunk of its own.
std::vector<ItemChunk> item_chunks(std::span<const CapabilityItem> items, int64_t max_tokens);

}  // namespace xkde

#endif  // XKDE_CORE_CAPABILITY_CAPABILITY_ITEMS_H_
