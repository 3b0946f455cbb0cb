#include "distributed/memory_search/embed_texts.h"

#include <algorithm>
#include <vector>

#include <ATen/ATen.h>

#include "core/base/error.h"
#include "core/memory/embed_texts.h"
#include "distributed/comm/agreement.h"

namespace xkde::dist {

at::Tensor embed_texts(const SentenceEncoder& encoder, std::span<const std::string> texts,
                       Communicator& comm) {
  const TextBlocks blocks(texts);
  // Consecutive blocks of a rank's share make one run of rows. Blocks are alike in bytes.
  const auto share = [&](int64_t rank) { return blocks.size() * rank / comm.size(); };
  // An error or a stop request of one rank ends the work of all.
  const auto parts = agree(comm, [&] {
    const at::Tensor own = blocks.embed(encoder, share(comm.rank()), share(comm.rank() + 1));
    const float* values = own.const_data_ptr<float>();
    return std::vector<float>(values, values + own.numel());
  });
  at::Tensor rows = at::empty({blocks.distinct(), encoder.width()}, at::kFloat);
  float* to = rows.mutable_data_ptr<float>();
  int64_t left = rows.numel();
  for (const std::vector<float>& part : parts) {
    XKDE_CHECK(std::ssize(part) <= left, CommError, "embed_texts: expected ", left,
               " more values of embeddings, found ", part.size(), ": the ranks' texts differ");
    to = std::copy(part.begin(), part.end(), to);
    left -= std::ssize(part);
  }
  XKDE_CHECK(left == 0, CommError, "embed_texts: expected ", left,
             " more values of embeddings, found none: the ranks' texts differ");
  return blocks.spread(rows);
}

}  // namespace xkde::dist
