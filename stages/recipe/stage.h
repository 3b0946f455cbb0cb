#ifndef XKDE_STAGES_RECIPE_STAGE_H_
#define XKDE_STAGES_RECIPE_STAGE_H_

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/io/json_file.h"
#include "core/model/families/lora_options.h"
#include "core/optim/optimizer_kind.h"
#include "stages/recipe/edit_selection.h"
#include "stages/recipe/strict_map.h"

namespace xkde::recipe {

/// Looks at the inputs that a stage names. `key` leads from the stage to the value that names the
/// input, as in "sources.0.data".
class InputChecker {
 public:
  /// `files` keeps what is read and outlives the checker. `context_length`: tokens of the model's
  /// context; 0 where it is not known.
  explicit InputChecker(LoadedData& files, int64_t context_length = 0)
      : files_(files), context_length_(context_length) {}
  virtual ~InputChecker() = default;
  /// Returns whether `input` can be opened. `expected` says what it should be, for the message.
  virtual bool opens(const std::string& key, const std::filesystem::path& input,
                     const std::string& expected) = 0;
  /// Runs `read`, which reads an input and throws an xkde::Error where it is bad.
  virtual void reads(const std::string& key, const std::function<void()>& read) = 0;
  /// The value of `key` does not go with the inputs. `what`: what was expected and what was found.
  virtual void refuse(const std::string& key, const std::string& what) = 0;
  LoadedData& files() const noexcept { return files_; }
  int64_t context_length() const noexcept { return context_length_; }

 private:
  LoadedData& files_;
  int64_t context_length_;
};

/// A path, and the key or option that names it.
struct NamedPath {
  std::string key;
  std::filesystem::path path;
};

/// A key of a stage whose value is the name of an earlier stage instead of a file.
struct StageSource {
  std::string_view key;
  std::string_view stage;
};

/// One stage of a recipe: its keys as read, and what the pipeline must know before it runs. Knows
/// no tensor; what runs it stands in stages/pipeline/stage_table.h.
class Stage {
 public:
  virtual ~Stage() = default;

  /// The name that recipes and folders have for it: "sft".
  virtual std::string_view name() const = 0;
  /// Every key with the value that the stage will run with, in the order of docs/recipes.md.
  /// Reading it again gives the same stage.
  virtual Json keys() const = 0;
  /// Of these, keys that change nothing of what the stage leaves: they say how and when it saves
  /// what it has so far. A run goes on when they change.
  virtual std::vector<std::string_view> free_keys() const { return {}; }
  /// Opens and reads every input that the stage names.
  virtual void check_inputs(InputChecker& inputs) const = 0;
  /// The files that the stage reads beside the model and the files of earlier stages. Finds them by
  /// name, and does not read data. Throws MissingInputError where one is not there.
  virtual std::set<std::filesystem::path> files() const { return {}; }
  /// The earlier stage whose file this one reads; nothing where it reads a file of the recipe.
  virtual std::optional<StageSource> source() const { return std::nullopt; }
  /// The folders that the stage writes beside its own in the run's folder, with their keys.
  virtual std::vector<NamedPath> outputs() const { return {}; }
  /// The edits whose questions the stage asks: build_data keeps them out of its training set. Null
  /// where it asks none.
  virtual const EditSelection* asks() const { return nullptr; }
  /// Whether the model has other weights after the stage.
  virtual bool changes_model() const { return false; }
  /// The adapter that the stage trains; null where it trains all weights, or none.
  virtual const LoraOptions* adapter() const { return nullptr; }
  /// What updates the weights that the stage trains.
  virtual OptimizerKind optimizer() const { return OptimizerKind::kAdamW; }
  /// Whether the stage merges an adapter into the weights without saying which of them, where those
  /// that it was trained with are quantized.
  virtual bool merges_into_any() const { return false; }

 protected:
  Stage() = default;
  Stage(const Stage&) = default;
  Stage& operator=(const Stage&) = default;
};

/// A stage as recipes share it: it never changes once it is read.
using StagePtr = std::shared_ptr<const Stage>;

/// The stage as what it is. Throws std::bad_cast where it is something else.
template <class T>
const T& as(const Stage& stage) {
  return dynamic_cast<const T&>(stage);
}

/// How a recipe's reader gets from a stage's name to the stage.
struct StageParser {
  std::string_view name;
  StagePtr (*parse)(StrictMap map);
  /// Every key as Stage::keys() gives it, with its default; the sections and the lists of mappings
  /// that a stage may have are there once.
  Json (*defaults)();
  /// The JSON Schema of the stage's keys.
  Json (*schema)();
};

/// All stages that the program has, in the order in which messages list them.
using StageParsers = std::span<const StageParser>;
std::vector<std::string> names_of(StageParsers parsers);

/// The parser of a type that has a `kName`, and a static `with_sections` where it has sections or
/// lists of mappings. Its `each_key` reads or writes every key, in the order of docs/recipes.md,
/// and checks what was read.
template <class T>
constexpr StageParser parser_of() {
  return {T::kName,
          [](StrictMap map) -> StagePtr {
            const auto stage = std::make_shared<T>();
            stage->each_key(std::move(map));
            return stage;
          },
          [] {
            if constexpr (requires { T::with_sections(); }) return T::with_sections().keys();
            return T().keys();
          },
          [] { return described(T()); }};
}

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_RECIPE_STAGE_H_
