#ifndef XKDE_DISTRIBUTED_COMM_TYPED_GATHER_H_
#define XKDE_DISTRIBUTED_COMM_TYPED_GATHER_H_

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <ranges>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "core/base/error.h"
#include "distributed/comm/communicator.h"

namespace xkde::dist {

/// Numbers, enums and structs of them: what other ranks can read from its bytes alone.
template <typename T>
concept PlainMemory =
    std::is_trivially_copyable_v<T> && !std::is_pointer_v<T> && !std::ranges::view<T>;

/// How a value travels between ranks as bytes. All ranks run one program on one kind of machine, so
/// plain memory travels as it is. from() throws InternalError when the bytes are of another size.
template <typename T>
struct HostBytes;

template <PlainMemory T>
struct HostBytes<T> {
  static std::string to(const T& value) {
    return {reinterpret_cast<const char*>(&value), sizeof value};
  }
  static T from(std::string_view bytes) {
    XKDE_CHECK(bytes.size() == sizeof(T), InternalError, "a rank sent ", bytes.size(),
               " bytes, expected ", sizeof(T));
    T value{};
    std::memcpy(&value, bytes.data(), sizeof value);
    return value;
  }
};

template <>
struct HostBytes<std::string> {
  static std::string to(const std::string& text) { return text; }
  static std::string from(std::string_view bytes) { return std::string(bytes); }
};

template <PlainMemory T>
requires(!std::same_as<T, bool>) struct HostBytes<std::vector<T>> {
  static std::string to(const std::vector<T>& values) {
    return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
  }
  static std::vector<T> from(std::string_view bytes) {
    XKDE_CHECK(bytes.size() % sizeof(T) == 0, InternalError, "a rank sent ", bytes.size(),
               " bytes, expected a multiple of ", sizeof(T));
    std::vector<T> values(bytes.size() / sizeof(T));
    if (!values.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
    return values;
  }
};

/// Each text comes after its length.
template <>
struct HostBytes<std::vector<std::string>> {
  static std::string to(const std::vector<std::string>& texts) {
    std::string bytes;
    for (const std::string& text : texts) bytes += HostBytes<uint64_t>::to(text.size()) + text;
    return bytes;
  }
  static std::vector<std::string> from(std::string_view bytes) {
    std::vector<std::string> texts;
    while (!bytes.empty()) {
      const auto length = HostBytes<uint64_t>::from(bytes.substr(0, sizeof(uint64_t)));
      bytes.remove_prefix(sizeof(uint64_t));
      XKDE_CHECK(length <= bytes.size(), InternalError, "a rank sent ", bytes.size(),
                 " bytes of a text, expected ", length);
      texts.emplace_back(bytes.substr(0, length));
      bytes.remove_prefix(length);
    }
    return texts;
  }
};

/// The values of every rank, in rank order, on all ranks. Vectors and texts may be of another size
/// on each rank. Collective; goes by host memory, so that no device waits.
template <typename T>
std::vector<T> gather(Communicator& comm, const T& value) {
  std::vector<T> values;
  for (const std::string& bytes : comm.all_gather_bytes(HostBytes<T>::to(value))) {
    values.push_back(HostBytes<T>::from(bytes));
  }
  return values;
}

/// The value of `root`, on all ranks; what the others pass is not looked at. Collective.
template <typename T>
T broadcast(Communicator& comm, const T& value, int root = 0) {
  const bool is_root = comm.rank() == root;
  return HostBytes<T>::from(
      comm.broadcast_bytes(is_root ? HostBytes<T>::to(value) : std::string(), root));
}

/// The largest of the ranks' values, on all ranks. Collective.
template <PlainMemory T>
T largest_of_ranks(Communicator& comm, const T& value) {
  return std::ranges::max(gather(comm, value));
}

/// The sum of the ranks' values, added in rank order and so equal on all ranks. Collective.
template <PlainMemory T>
T sum_of_ranks(Communicator& comm, const T& value) {
  T sum{};
  for (const T& part : gather(comm, value)) sum += part;
  return sum;
}

}  // namespace xkde::dist

#endif  // XKDE_DISTRIBUTED_COMM_TYPED_GATHER_H_
