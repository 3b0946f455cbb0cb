#ifndef XKDE_DISTRIBUTED_JOB_RANK_TREE_H_
#define XKDE_DISTRIBUTED_JOB_RANK_TREE_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "distributed/job/link.h"

namespace xkde::dist {

/// Bytes of each rank, in rank order, on all ranks. Every rank calls it.
using Exchange = std::function<std::vector<std::string>(const std::string&)>;

/// The host that a process is on.
struct Host {
  std::string id;    ///< equal for processes that reach each other within the host
  std::string name;  ///< for messages

  /// Host name, boot and network namespace.
  static Host own();
};

/// A rank at the other end of a link.
struct Peer {
  std::unique_ptr<Link> link;
  int rank = 0;
  bool is_parent = false;
  bool is_local = false;   ///< on this host
  std::vector<int> ranks;  ///< all that are on the peer's host and reached by this link
  std::string host;
};

/// Ranks as a tree: the lowest rank of each host is linked with the others of the host by a Unix
/// socket, and with rank 0 by TCP. So a host has one connection to another, and rank 0 one for each
/// host. Strangers that connect are ignored: they do not know the token of this run. No port is
/// open any more when it is made.
struct RankTree {
  std::vector<Peer> peers;  ///< of this rank, its parent first
  /// Of the ranks on its host, this one comes first, but for the one that the others are linked
  /// with.
  bool is_second = false;
  std::string error;  ///< why there is no tree, equal on all ranks; empty when there is

  /// Every rank calls it. Waits at most `patience_s` for the others.
  static RankTree connect(int rank, const Host& host, const Exchange& exchange, double patience_s);
};

}  // namespace xkde::dist

#endif  // XKDE_DISTRIBUTED_JOB_RANK_TREE_H_
