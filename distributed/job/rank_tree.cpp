#include "distributed/job/rank_tree.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <limits>
#include <map>
#include <random>
#include <sstream>
#include <utility>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/base/host_name.h"
#include "core/base/stopwatch.h"

namespace xkde::dist {
namespace {

constexpr size_t kMostStrangers = 64;  // connections that have not said who they are

std::string random_token() {
  std::random_device device;
  std::string token;
  for (int i = 0; i < 4; ++i) token += fmt::format("{:08x}", device());
  return token;
}

/// A socket that is closed unless it is taken out.
class Socket {
 public:
  explicit Socket(int descriptor = -1) : descriptor_(descriptor) {}
  ~Socket() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  Socket(Socket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  int get() const noexcept { return descriptor_; }
  int take() noexcept { return std::exchange(descriptor_, -1); }

 private:
  int descriptor_;
};

constexpr int kStream = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;

/// An address of any family.
struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

/// A name of the host's sockets that is no file.
Address local_address(const std::string& name) {
  Address address;
  auto& local = reinterpret_cast<sockaddr_un&>(address.storage);
  local.sun_family = AF_UNIX;
  const std::string text = "xkde-" + name;
  std::memcpy(local.sun_path + 1, text.data(), text.size());
  address.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + text.size());
  return address;
}

/// "10.0.0.1" or "fd00::1"; nothing for other texts.
std::vector<Address> network_address(const std::string& text, int port) {
  Address address;
  auto& v4 = reinterpret_cast<sockaddr_in&>(address.storage);
  auto& v6 = reinterpret_cast<sockaddr_in6&>(address.storage);
  const auto network_port = htons(static_cast<uint16_t>(port));
  if (inet_pton(AF_INET, text.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = network_port;
    address.length = sizeof(v4);
  } else if (inet_pton(AF_INET6, text.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = network_port;
    address.length = sizeof(v6);
  } else {
    return {};
  }
  return {address};
}

std::string text_of(const sockaddr* address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const void* bytes = nullptr;
  if (address->sa_family == AF_INET) {
    bytes = &reinterpret_cast<const sockaddr_in*>(address)->sin_addr;
  } else {
    const auto& v6 = reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr;
    if (IN6_IS_ADDR_LINKLOCAL(&v6)) return "";  // means nothing on another host
    bytes = &v6;
  }
  const char* found = inet_ntop(address->sa_family, bytes, text.data(), text.size());
  return found == nullptr ? "" : found;
}

/// Those by which other hosts may reach this one; the host's own where there is none else.
std::string own_addresses() {
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return "127.0.0.1";
  std::string addresses;
  for (const ifaddrs* item = list; item != nullptr; item = item->ifa_next) {
    const bool is_up = (item->ifa_flags & IFF_UP) != 0 && (item->ifa_flags & IFF_LOOPBACK) == 0;
    if (!is_up || item->ifa_addr == nullptr) continue;
    const int family = item->ifa_addr->sa_family;
    if (family != AF_INET && family != AF_INET6) continue;
    const std::string text = text_of(item->ifa_addr);
    if (!text.empty()) addresses += text + " ";
  }
  freeifaddrs(list);
  return addresses.empty() ? "127.0.0.1" : addresses;
}

/// Where a rank can be reached, as it tells the others.
struct Offer {
  std::string token;
  int port = 0;
  std::string addresses;

  std::string to_text() const { return fmt::format("{} {} {}", token, port, addresses); }
  static Offer from_text(const std::string& text) {
    Offer offer;
    std::istringstream words(text);
    words >> offer.token >> offer.port;
    const size_t end_of_port = text.find(' ', text.find(' ') + 1);
    if (end_of_port != text.npos) offer.addresses = text.substr(end_of_port);
    return offer;
  }
};

/// This rank's place: who is its parent, who its children.
struct Place {
  int parent = -1;
  std::vector<int> local_children;
  std::vector<int> remote_children;
};

class Connector {
 public:
  Connector(int rank, const Host& host, double patience_s) : rank_(rank), patience_s_(patience_s) {
    own_host_ = host;
  }

  /// Cards of all ranks: their hosts.
  std::string card() const { return own_host_.id + "\n" + own_host_.name; }
  void read_cards(const std::vector<std::string>& cards);
  /// Opens what others connect to.
  Offer listen();
  void meet(const std::vector<std::string>& offers);
  std::vector<Peer> take_peers() { return std::move(peers_); }
  bool is_second() const;
  const std::string& error() const { return error_; }

 private:
  void fail(const std::string& what) {
    if (error_.empty()) error_ = fmt::format("rank {} ({}): {}", rank_, own_host_.name, what);
  }
  Socket listen_at(Address address);
  void call_parent(const Offer& offer);
  std::vector<Socket> call(const std::vector<Address>& addresses, const std::string& hello);
  void add_peer(int rank, Socket socket, bool is_parent);
  void await_children();
  /// Reads a hello and adds its rank. False while more must come.
  bool greet(int socket, std::string& words);

  int rank_;
  double patience_s_;
  Host own_host_;
  std::vector<Host> hosts_;
  std::map<std::string, int> leaders_;  // lowest rank of each host
  Place place_;
  std::string token_ = random_token();
  Socket local_;
  Socket network_;
  std::vector<Peer> peers_;
  std::string error_;
};

void Connector::read_cards(const std::vector<std::string>& cards) {
  for (const std::string& text : cards) {
    const size_t line = text.find('\n');
    hosts_.push_back({text.substr(0, line), text.substr(line + 1)});
    leaders_.try_emplace(hosts_.back().id, static_cast<int>(hosts_.size()) - 1);
  }
  const int leader = leaders_.at(own_host_.id);
  if (rank_ != 0) place_.parent = rank_ == leader ? 0 : leader;
  for (int r = rank_ + 1; leader == rank_ && r < static_cast<int>(hosts_.size()); ++r) {
    if (hosts_[static_cast<size_t>(r)].id == own_host_.id) place_.local_children.push_back(r);
  }
  for (const auto& [id, first] : leaders_) {
    if (rank_ == 0 && first != 0) place_.remote_children.push_back(first);
  }
}

bool Connector::is_second() const {
  const int leader = leaders_.at(own_host_.id);
  for (int r = leader + 1; r < rank_; ++r) {
    if (hosts_[static_cast<size_t>(r)].id == own_host_.id) return false;
  }
  return rank_ != leader;
}

Socket Connector::listen_at(Address address) {
  Socket socket(::socket(address.storage.ss_family, kStream, 0));
  const int off = 0;
  if (address.storage.ss_family == AF_INET6) {
    setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
  }
  if (socket.get() < 0 || bind(socket.get(), address.get(), address.length) != 0 ||
      ::listen(socket.get(), SOMAXCONN) != 0) {
    return Socket();
  }
  return socket;
}

Offer Connector::listen() {
  Offer offer{.token = token_, .port = 0, .addresses = {}};
  if (!place_.local_children.empty()) {
    local_ = listen_at(local_address(token_));
    if (local_.get() < 0) fail(fmt::format("a Unix socket: {}", std::strerror(errno)));
  }
  if (place_.remote_children.empty()) return offer;
  // Which way leads to the others is known only when they have come: any, until then.
  network_ = listen_at(network_address("::", 0).front());
  if (network_.get() < 0) network_ = listen_at(network_address("0.0.0.0", 0).front());
  Address bound;
  bound.length = sizeof(bound.storage);
  if (network_.get() < 0 || getsockname(network_.get(), bound.get(), &bound.length) != 0) {
    fail(fmt::format("a TCP port: {}", std::strerror(errno)));
    return offer;
  }
  // The port stands at the same place in both families.
  offer.port = ntohs(reinterpret_cast<const sockaddr_in&>(bound.storage).sin_port);
  offer.addresses = own_addresses();
  return offer;
}

void Connector::add_peer(int rank, Socket socket, bool is_parent) {
  const Host& host = hosts_[static_cast<size_t>(rank)];
  Peer peer{.link = std::make_unique<Link>(socket.take()),
            .rank = rank,
            .is_parent = is_parent,
            .is_local = host.id == own_host_.id,
            .ranks = {},
            .host = host.name};
  for (int r = 0; r < static_cast<int>(hosts_.size()); ++r) {
    const bool same = hosts_[static_cast<size_t>(r)].id == host.id;
    const bool behind = host.id != own_host_.id || r == rank;
    if (same && behind) peer.ranks.push_back(r);
  }
  peers_.insert(is_parent ? peers_.begin() : peers_.end(), std::move(peer));
}

/// The first connection that is answered, of those to `addresses`; none after the time.
std::vector<Socket> Connector::call(const std::vector<Address>& addresses,
                                    const std::string& hello) {
  std::vector<Socket> calls;
  std::vector<bool> said;
  for (const Address& address : addresses) {
    Socket socket(::socket(address.storage.ss_family, kStream, 0));
    if (socket.get() < 0) continue;
    if (::connect(socket.get(), address.get(), address.length) != 0 && errno != EINPROGRESS) {
      continue;
    }
    calls.push_back(std::move(socket));
    said.push_back(false);
  }
  const Stopwatch waited;
  while (!calls.empty() && waited.seconds() < patience_s_) {
    std::vector<pollfd> descriptors;
    for (size_t i = 0; i < calls.size(); ++i) {
      const short wanted = said[i] ? POLLIN : POLLOUT;
      descriptors.push_back({.fd = calls[i].get(), .events = wanted, .revents = 0});
    }
    poll(descriptors.data(), descriptors.size(), 100);
    for (size_t i = calls.size(); i-- > 0;) {
      if (descriptors[i].revents == 0) continue;
      char answer = 0;
      bool is_over = false;
      if (!said[i]) {
        const auto size = static_cast<ssize_t>(hello.size());
        is_over = ::send(calls[i].get(), hello.data(), hello.size(), MSG_NOSIGNAL) != size;
        said[i] = true;
      } else if (recv(calls[i].get(), &answer, 1, 0) == 1 && answer == '\n') {
        std::vector<Socket> found;
        found.push_back(std::move(calls[i]));
        return found;
      } else {
        is_over = true;
      }
      if (!is_over) continue;
      calls.erase(calls.begin() + static_cast<ptrdiff_t>(i));
      said.erase(said.begin() + static_cast<ptrdiff_t>(i));
    }
  }
  return {};
}

void Connector::call_parent(const Offer& offer) {
  std::vector<Address> addresses;
  if (hosts_[static_cast<size_t>(place_.parent)].id == own_host_.id) {
    addresses.push_back(local_address(offer.token));
  } else {
    std::istringstream words(offer.addresses);
    for (std::string word; words >> word;) {
      for (const Address& address : network_address(word, offer.port)) addresses.push_back(address);
    }
  }
  std::vector<Socket> found = call(addresses, fmt::format("{} {}\n", offer.token, rank_));
  if (found.empty()) {
    fail(fmt::format("rank {} ({}) does not answer at{} port {}", place_.parent,
                     hosts_[static_cast<size_t>(place_.parent)].name, offer.addresses, offer.port));
    return;
  }
  add_peer(place_.parent, std::move(found.front()), true);
}

bool Connector::greet(int socket, std::string& words) {
  std::array<char, 64> buffer{};
  const ssize_t count = recv(socket, buffer.data(), buffer.size(), 0);
  if (count <= 0) return count == 0 || (errno != EAGAIN && errno != EINTR);
  words.append(buffer.data(), static_cast<size_t>(count));
  if (words.size() > 2 * buffer.size()) return true;
  if (words.back() != '\n') return false;
  std::istringstream parts(words);
  std::string token;
  int rank = -1;
  parts >> token >> rank;
  const auto is_child = [rank](const std::vector<int>& ranks) {
    return std::find(ranks.begin(), ranks.end(), rank) != ranks.end();
  };
  const bool known = std::any_of(peers_.begin(), peers_.end(),
                                 [rank](const Peer& peer) { return peer.rank == rank; });
  const bool expected = is_child(place_.local_children) || is_child(place_.remote_children);
  if (token != token_ || !expected || known || ::send(socket, "\n", 1, MSG_NOSIGNAL) != 1) {
    return true;
  }
  add_peer(rank, Socket(dup(socket)), false);
  return true;
}

void Connector::await_children() {
  const size_t wanted =
      peers_.size() + place_.local_children.size() + place_.remote_children.size();
  std::vector<std::pair<Socket, std::string>> strangers;
  const Stopwatch waited;
  while (peers_.size() < wanted && waited.seconds() < patience_s_) {
    std::vector<pollfd> descriptors;
    for (const Socket* listener : {&local_, &network_}) {
      descriptors.push_back({.fd = listener->get(), .events = POLLIN, .revents = 0});
    }
    for (const auto& [socket, words] : strangers) {
      descriptors.push_back({.fd = socket.get(), .events = POLLIN, .revents = 0});
    }
    poll(descriptors.data(), descriptors.size(), 100);
    for (size_t i = strangers.size(); i-- > 0;) {
      auto& [socket, words] = strangers[i];
      const bool is_over = descriptors[i + 2].revents != 0 && greet(socket.get(), words);
      if (is_over) strangers.erase(strangers.begin() + static_cast<ptrdiff_t>(i));
    }
    for (size_t i = 0; i < 2; ++i) {
      if (descriptors[i].revents == 0) continue;
      Socket socket(accept4(descriptors[i].fd, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      if (socket.get() < 0) continue;
      // The oldest one has had its time to speak.
      if (strangers.size() == kMostStrangers) strangers.erase(strangers.begin());
      strangers.emplace_back(std::move(socket), std::string());
    }
  }
  if (peers_.size() < wanted) {
    fail(fmt::format("{} of {} ranks did not call", wanted - peers_.size(), wanted));
  }
}

void Connector::meet(const std::vector<std::string>& offers) {
  if (!error_.empty()) return;
  if (place_.parent >= 0) {
    call_parent(Offer::from_text(offers[static_cast<size_t>(place_.parent)]));
  }
  if (error_.empty()) await_children();
}

}  // namespace

Host Host::own() {
  const std::string name = host_name();
  std::array<char, 64> network{};
  // Names of Unix sockets end at the network namespace.
  [[maybe_unused]] const auto length =
      readlink("/proc/self/ns/net", network.data(), network.size() - 1);
  return {fmt::format("{} {} {}", name, boot_id(), network.data()), name};
}

RankTree RankTree::connect(int rank, const Host& host, const Exchange& exchange,
                           double patience_s) {
  RankTree tree;
  Connector connector(rank, host, patience_s);
  connector.read_cards(exchange(connector.card()));
  connector.meet(exchange(connector.listen().to_text()));
  // Sums up: a tree without one of its branches is none.
  for (const std::string& error : exchange(connector.error())) {
    if (!error.empty() && tree.error.empty()) tree.error = error;
  }
  tree.is_second = connector.is_second();
  if (tree.error.empty()) tree.peers = connector.take_peers();
  return tree;
}

}  // namespace xkde::dist
