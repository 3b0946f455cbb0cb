#ifndef XKDE_CORE_OPTIM_DYNAMIC_CODE_H_
#define XKDE_CORE_OPTIM_DYNAMIC_CODE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace xkde {

/// Numbers in one byte each, as fractions of the largest size in their block: dynamic tree
/// quantization, block by block. The 256 fractions lie densest near 0. There are seven decades
/// below 1; the upper ones have more of them, at equal distances. 0 and 1 are among them. Source:
/// arXiv:2110.02861, section 2 and appendix, with the blocks of 256 that bitsandbytes has had since
/// version 2 of the method.
class DynamicCode {
 public:
  static constexpr int64_t kBlock = 256;  ///< numbers that share a scale

  /// Of numbers of both signs, whose fractions are in (-1, 1].
  static const DynamicCode& of_both_signs();
  /// Of numbers of at least 0. Only 0 itself becomes 0: what is nearer to 0 than to the next
  /// fraction becomes that one, as a second moment of 0 would divide by epsilon alone.
  static const DynamicCode& of_squares();

  /// Ascending.
  const std::array<float, 256>& fractions() const noexcept { return fractions_; }
  /// Between neighbours of them: a fraction that lies there belongs to the lower one.
  std::span<const float> borders() const noexcept { return std::span(borders_).first(255); }

  /// One block of kBlock numbers. Returns its scale, the largest size of them; where that is below
  /// the smallest normal number, it is 0, and so are all numbers.
  float encode(const float* values, uint8_t* codes) const;
  void decode(const uint8_t* codes, float scale, float* values) const;

 private:
  explicit DynamicCode(bool both_signs);
  uint8_t nearest(float fraction) const;

  // The bins that encode() looks a fraction up in: by sign, exponent and eight bits of mantissa, so
  // that none has more than one border.
  static constexpr uint32_t kShift = 15;
  static constexpr uint32_t kFirst = 0x33800000U >> kShift;  ///< of 2^-24; below it all is alike
  static constexpr uint32_t kLast = 0x3F800000U >> kShift;   ///< of 1
  static constexpr uint32_t kBins = kLast - kFirst + 1;

  bool both_signs_;
  std::array<float, 256> fractions_{};
  std::array<float, 256> borders_{};  ///< and one that nothing is above
  std::array<uint8_t, 2 * kBins>
      lowest_{};  ///< code of a bin's least fraction; negative ones behind
};

}  // namespace xkde

#endif  // XKDE_CORE_OPTIM_DYNAMIC_CODE_H_
