#include "core/io/sha256.h"

#include <array>
#include <optional>
#include <vector>

#include <openssl/evp.h>

#include "core/base/error.h"
#include "core/base/stop_signals.h"
#include "core/io/file_reader.h"

namespace xkde {
namespace {

constexpr size_t kPieceBytes = size_t{1} << 20;

EVP_MD_CTX* evp(void* context) noexcept { return static_cast<EVP_MD_CTX*>(context); }

}  // namespace

void Sha256::FreeContext::operator()(void* context) const noexcept {
  EVP_MD_CTX_free(evp(context));
}

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  XKDE_CHECK(context_ != nullptr, MemoryError, "SHA-256: no memory for its state");
  XKDE_CHECK(EVP_DigestInit_ex(evp(context_.get()), EVP_sha256(), nullptr) == 1, InternalError,
             "SHA-256: OpenSSL refuses to start a digest");
}

void Sha256::update(const void* data, size_t bytes) {
  XKDE_CHECK(EVP_DigestUpdate(evp(context_.get()), data, bytes) == 1, InternalError,
             "SHA-256: OpenSSL refuses ", bytes, " bytes");
}

std::string Sha256::hex() const {
  const Sha256 copy;  // finishing a digest ends it, so a copy is finished
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int length = 0;
  XKDE_CHECK(EVP_MD_CTX_copy_ex(evp(copy.context_.get()), evp(context_.get())) == 1 &&
                 EVP_DigestFinal_ex(evp(copy.context_.get()), digest.data(), &length) == 1,
             InternalError, "SHA-256: OpenSSL refuses to finish a digest");
  std::string text;
  for (size_t i = 0; i < length; ++i) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    text += kDigits[digest[i] >> 4U];
    text += kDigits[digest[i] & 15U];
  }
  return text;
}

std::string sha256_hex(std::string_view bytes) {
  Sha256 hash;
  hash.update(bytes.data(), bytes.size());
  return hash.hex();
}

std::string sha256_of_file(const std::filesystem::path& path) {
  const std::optional<FileHandle> file = open_if_there(path, FileOrigin::kOwn);
  XKDE_CHECK(file, MissingInputError, path.string(), ": not there");
  Sha256 hash;
  std::vector<char> piece(kPieceBytes);
  while (const size_t got = file->read_some(piece)) {
    check_stop();
    hash.update(piece.data(), got);
  }
  return hash.hex();
}

}  // namespace xkde
