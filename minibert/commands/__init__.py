"""The command line: ``minibert doctor | data | pretrain | finetune | course``."""
