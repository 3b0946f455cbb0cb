xkde_add_library(xkde_checkpoint TORCH
  SOURCES checkpoint.cpp checkpoint_agreement.cpp checkpoint_files.cpp checkpoint_index.cpp
    checkpoint_load.cpp checkpoint_manifest.cpp
  LINKS xkde_layout xkde_comm xkde_io)
