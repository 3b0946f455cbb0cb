#ifndef XKDE_STAGES_WEIGHTS_RUN_WEIGHTS_H_
#define XKDE_STAGES_WEIGHTS_RUN_WEIGHTS_H_

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "core/model/decoder.h"
#include "core/model/pretrained/peft_adapter.h"
#include "core/model/pretrained/pretrained.h"
#include "distributed/comm/communicator.h"
#include "distributed/sharding/adapter_model.h"
#include "distributed/sharding/sharded_model.h"
#include "stages/recipe/recipe.h"

namespace xkde::recipe {

/// The model of a run, in the form that what comes next needs, and where its weights come from.
/// Where stages train adapters and none trains all weights, those are frozen from the beginning and
/// take no more than the compute dtype. Collective, unless a function says otherwise.
class RunWeights {
 public:
  /// Finds the folder of a checkpoint; called on rank 0 when it is needed.
  using FindCheckpoint = std::function<std::filesystem::path()>;

  /// Opens the adapter that the recipe names. All references outlive the object. Throws ConfigError
  /// where the model cannot be held as the recipe says.
  RunWeights(const Recipe& recipe, dist::Communicator& comm, const PretrainedModel& pretrained,
             const Decoder& decoder);

  /// Whether there is a model already, whose options stay.
  bool is_built() const noexcept { return full_ != nullptr || adapted_ != nullptr; }
  /// The model with the weights that the stages so far lead to; built and read at the first call.
  dist::RunModel& model(const dist::EngineOptions& options);
  /// model(), which from now on trains an adapter of `lora` or, where there is none, all weights.
  /// An adapter that is there is trained on, or becomes part of the weights. Throws ConfigError,
  /// which begins with `place`, where it is another than `lora`.
  dist::RunModel& model_to_train(const std::optional<LoraOptions>& lora, const std::string& place,
                                 const dist::EngineOptions& options);
  /// Runs `body` with the weights that the run began with in model(), and puts back those that were
  /// there.
  void with_first_weights(const dist::EngineOptions& options, const std::function<void()>& body);
  /// Frees the model. It is built and read anew when it is asked for; what no finished stage left
  /// in a checkpoint is lost. Not collective.
  void release();
  /// A finished stage left the weights, or an adapter of `lora`, in a checkpoint. They are read
  /// where model() is there already, unless it `has` them.
  void use_checkpoint(FindCheckpoint find, const std::optional<LoraOptions>& lora,
                      bool has = false);
  /// A finished stage left all weights, an adapter merged in, in a GGUF file. They are read where
  /// model() is there already.
  void use_gguf(std::filesystem::path file);
  /// A finished stage left matrices that edits changed (core/editing/edited_weights.h). They stand
  /// in the place of those that the stages before lead to, an adapter merged in, and are read where
  /// model() is there already.
  void use_edits(std::filesystem::path file);
  /// The weights, and the adapter, are those before all use_edits() since the last stage that
  /// trained or left all weights.
  void drop_edits();

  /// What the model's adapter is; null where it has none.
  const LoraOptions* lora() const noexcept { return adapter_ ? &adapter_->options : nullptr; }
  /// Whether the adapter belongs to the weights of the model's files. Not collective.
  bool is_base_pretrained() const noexcept {
    return !find_base_ && gguf_.empty() && changes_.empty();
  }
  /// The adapter of model(), on rank 0 (empty elsewhere). Needs lora().
  std::map<std::string, at::Tensor> gather_adapter(const dist::EngineOptions& options);
  /// Gives the weights of model() on rank 0, as fp32 and an adapter merged in: into those of the
  /// model's files or, `dequantized`, into what its frozen weights are held as.
  dist::ReadTensor weights_for_export(const dist::EngineOptions& options, bool dequantized);

 private:
  struct Adapter {
    LoraOptions options;
    std::function<void(dist::AdapterModel&)> fill;  ///< its matrices
    /// What reads them one by one. Null as long as the stage that made the adapter trains it.
    std::function<dist::ReadTensor()> open;
  };
  /// What stands on the weights below it: matrices that edits changed or, without a file of them,
  /// an adapter that is merged in.
  struct Change {
    std::filesystem::path edits;
    std::optional<Adapter> adapter;
  };

  bool freezes() const;
  void build(const dist::EngineOptions& options);
  void load();
  void load_checkpoint_of(const FindCheckpoint& find, const dist::ShardLayout& layout,
                          at::Tensor& state);
  dist::ReadTensor pretrained_reader() const;  ///< of the model's files
  dist::ReadTensor gguf_reader();
  /// Of a checkpoint of any number of shards.
  dist::ReadTensor checkpoint_reader(const FindCheckpoint& find, const dist::ShardLayout& layout);
  /// Of the file or the checkpoint that a stage left; else of the model's files. Without changes.
  dist::ReadTensor unchanged_reader();
  /// As unchanged_reader(), with the changes.
  dist::ReadTensor base_reader();
  /// `below` with an adapter merged in.
  dist::ReadTensor merged(dist::ReadTensor below, const Adapter& adapter) const;
  /// The adapter, where there is one, becomes part of the weights below the next one.
  void merge_adapter();
  /// Reads the base anew where model() is there already.
  void reload();
  /// The blocks that a weight is held in, where the recipe freezes weights in blocks.
  dist::BlockFormatOf format_of() const;
  dist::ReadTensor held_reader() const;
  /// As pretrained_reader(), the recipe's adapter merged in.
  dist::ReadTensor first_reader() const;
  Adapter from_file() const;
  Adapter from_checkpoint(FindCheckpoint find, const LoraOptions& options);
  void fill_base(const dist::ReadTensor& read);

  const Recipe& recipe_;
  dist::Communicator& comm_;
  const PretrainedModel& pretrained_;
  const Decoder& decoder_;
  FrozenForm form_;                  ///< of frozen weights; in blocks, they are the model's files'
  std::optional<PeftAdapter> peft_;  ///< of the recipe
  std::optional<Adapter> adapter_;
  FindCheckpoint find_base_;     ///< of all weights; empty: the model's files, or `gguf_`
  std::filesystem::path gguf_;   ///< that holds all weights; empty: find_base_ tells
  std::vector<Change> changes_;  ///< on top of those, a later one over an earlier one
  std::unique_ptr<dist::ShardedModel> full_;
  std::unique_ptr<dist::AdapterModel> adapted_;
};

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_WEIGHTS_RUN_WEIGHTS_H_
