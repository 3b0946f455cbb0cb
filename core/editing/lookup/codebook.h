#ifndef XKDE_CORE_EDITING_LOOKUP_CODEBOOK_H_
#define XKDE_CORE_EDITING_LOOKUP_CODEBOOK_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "core/model/edit_lookup.h"

namespace xkde {

/// GRACE's codebook (arXiv:2211.11031). A prompt whose last token's input of down_proj lies within
/// an entry's radius of its key gets the entry's value for down_proj's output at that token.
/// Distances are Euclidean and in fp32; of entries that are equally near the last one counts.
class Codebook final : public EditLookup {
 public:
  /// No entries. `device`: of the model.
  Codebook(int64_t layer, at::Device device) : layer_(layer), device_(device) {}

  int64_t size() const { return keys_.defined() ? keys_.size(0) : 0; }
  double radius(int64_t entry) const { return radii_[static_cast<size_t>(entry)]; }
  /// fp32 [D].
  at::Tensor value(int64_t entry) const { return values_[entry]; }
  void set_value(int64_t entry, const at::Tensor& value) { values_[entry].copy_(value); }

  /// The entry that is to answer `key`, fp32 [F], with `target`: the nearest, if it has the same
  /// target and their distance is at most `radius` more than its own radius, which grows to it
  /// where it is smaller; else a new one of `radius` and `value`, fp32 [D]. A near one of another
  /// target and the new one then divide the distance between them. A near one of the same key and
  /// another target takes the new target.
  int64_t place(const at::Tensor& key, const std::vector<int64_t>& target, double radius,
                const at::Tensor& value);

  /// Its entries by name, and those again.
  std::map<std::string, at::Tensor> state() const;
  void restore(const std::map<std::string, at::Tensor>& state);

  int64_t layer() const override { return layer_; }
  at::Tensor prompts(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                     const LookupRows& rows, at::Tensor& found) const override;
  at::Tensor answers(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                     const at::Tensor& found) const override;

 private:
  struct Nearest {
    at::Tensor entry;     ///< int64 [S]
    at::Tensor distance;  ///< fp32 [S]
  };
  Nearest nearest(const at::Tensor& keys) const;
  int64_t add(const at::Tensor& key, const std::vector<int64_t>& target, double radius,
              const at::Tensor& value);

  int64_t layer_;
  at::Device device_;
  at::Tensor keys_, values_;  ///< fp32 [N, F] and [N, D]; undefined: no entries
  std::vector<double> radii_;
  std::vector<std::vector<int64_t>> targets_;
};

}  // namespace xkde

#endif  // XKDE_CORE_EDITING_LOOKUP_CODEBOOK_H_
