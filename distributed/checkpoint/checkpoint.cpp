#include "distributed/checkpoint/checkpoint.h"

#include "core/base/error.h"
#include "distributed/checkpoint/save.h"
#include "distributed/comm/agreement.h"

namespace xkde::dist {

void save_checkpoint(const std::filesystem::path& root, const ShardLayout& layout,
                     const StateView& state, const CheckpointInfo& info, Communicator& world) {
  CheckpointSave save(root, layout, info, world);
  try {
    save.prepare(state, world);
    const std::vector<std::string> written = agree(world, [&] { return save.write_shard(state); });
    agree_on(world, [&] { save.complete(written); });
  } catch (const CommError&) {
    throw;  // the other ranks may still be writing; the next save removes the folder
  } catch (const Error&) {
    save.abandon();
    throw;
  }
}

}  // namespace xkde::dist
