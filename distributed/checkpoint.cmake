xkde_add_library(xkde_checkpoint TORCH
  SOURCES async_checkpointer.cpp checkpoint.cpp checkpoint_agreement.cpp checkpoint_files.cpp checkpoint_index.cpp
    checkpoint_load.cpp checkpoint_manifest.cpp checkpoint_retention.cpp checkpoint_save.cpp
    checkpoint_tensors.cpp direct_file.cpp pace.cpp page_buffer.cpp
  LINKS xkde_layout xkde_comm xkde_io)
