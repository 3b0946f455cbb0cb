#ifndef XKDE_DISTRIBUTED_MEMORY_SEARCH_EMBED_TEXTS_H_
#define XKDE_DISTRIBUTED_MEMORY_SEARCH_EMBED_TEXTS_H_

#include <span>
#include <string>

#include <ATen/core/Tensor.h>

#include "core/model/encoders/sentence_encoder.h"
#include "distributed/comm/communicator.h"

namespace xkde::dist {

/// embed_texts() of core/memory with its blocks shared out among the ranks: fp32
/// [texts.size(), encoder.width()] on all ranks, bit-equal to it for any number of ranks of like
/// processors. Collective; all ranks give the same texts and encoder.
at::Tensor embed_texts(const SentenceEncoder& encoder, std::span<const std::string> texts,
                       Communicator& comm);

}  // namespace xkde::dist

#endif  // XKDE_DISTRIBUTED_MEMORY_SEARCH_EMBED_TEXTS_H_
