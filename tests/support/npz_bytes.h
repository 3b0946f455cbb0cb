#ifndef XKDE_TESTS_SUPPORT_NPZ_BYTES_H_
#define XKDE_TESTS_SUPPORT_NPZ_BYTES_H_

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include <zlib.h>

namespace xkde::test {

/// The bytes of a number as they stand in memory.
template <typename T>
std::string raw(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

/// A .npy of version 1 with this dict as its header.
inline std::string npy_bytes(const std::string& header, const std::string& values) {
  return "\x93NUMPY\x01" + std::string(1, '\0') + raw(static_cast<uint16_t>(header.size())) +
         header + values;
}
inline std::string npy_of(const std::string& type, const std::string& shape,
                          const std::string& values) {
  return npy_bytes("{'descr': '" + type + "', 'fortran_order': False, 'shape': " + shape + ", }\n",
                   values);
}

template <typename T>
std::string raw_all(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

struct ZipMember {
  std::string name;
  std::string bytes;
};

/// How a zip file is written.
struct ZipForm {
  bool deflates = false;
  bool is_wide = false;  ///< zip64: sizes and places stand in extra fields
};

inline std::string deflated(const std::string& bytes) {
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, bytes.size()), '\0');
  std::string in = bytes;
  stream.next_in = reinterpret_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

/// A zip file of these members.
inline std::string zip_bytes(const std::vector<ZipMember>& members, ZipForm form = {}) {
  const auto short_of = [&](size_t value) {
    return raw(form.is_wide ? uint32_t{0xFFFFFFFF} : static_cast<uint32_t>(value));
  };
  std::string file, list;
  for (const ZipMember& member : members) {
    const std::string stored = form.deflates ? deflated(member.bytes) : member.bytes;
    const auto crc = static_cast<uint32_t>(
        crc32_z(0, reinterpret_cast<const Bytef*>(member.bytes.data()), member.bytes.size()));
    const std::string common =
        raw(uint16_t{0}) + raw(uint16_t{form.deflates ? uint16_t{8} : uint16_t{0}}) +
        raw(uint32_t{0}) + raw(crc) + short_of(stored.size()) + short_of(member.bytes.size()) +
        raw(static_cast<uint16_t>(member.name.size()));
    const std::string extra =
        form.is_wide
            ? raw(uint16_t{1}) + raw(uint16_t{24}) + raw<int64_t>(std::ssize(member.bytes)) +
                  raw<int64_t>(std::ssize(stored)) + raw<int64_t>(std::ssize(file))
            : "";
    list += "PK\1\2" + raw(uint16_t{45}) + raw(uint16_t{45}) + common +
            raw(static_cast<uint16_t>(extra.size())) + std::string(10, '\0') +
            short_of(file.size()) + member.name + extra;
    file += "PK\3\4" + raw(uint16_t{45}) + common + raw(uint16_t{0}) + member.name + stored;
  }
  const size_t begin = file.size();
  file += list;
  if (form.is_wide) {
    const size_t end = file.size();
    file += "PK\6\6" + raw(int64_t{44}) + std::string(12, '\0') +
            raw<int64_t>(std::ssize(members)) + raw<int64_t>(std::ssize(members)) +
            raw<int64_t>(std::ssize(list)) + raw(static_cast<int64_t>(begin));
    file += "PK\6\7" + raw(uint32_t{0}) + raw(static_cast<int64_t>(end)) + raw(uint32_t{1});
  }
  return file + "PK\5\6" + raw(uint32_t{0}) + raw(static_cast<uint16_t>(members.size())) +
         raw(static_cast<uint16_t>(members.size())) + short_of(list.size()) + short_of(begin) +
         raw(uint16_t{0});
}

}  // namespace xkde::test

#endif  // XKDE_TESTS_SUPPORT_NPZ_BYTES_H_
