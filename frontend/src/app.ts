// What script adds to pages that are whole without it.

import { keepCounting } from "./ago.ts";
import { copying } from "./copy.ts";
import { keys } from "./keys.ts";
import { live } from "./live.ts";
import { proofs } from "./proofs.ts";
import { pulse } from "./pulse.ts";
import { themes } from "./theme.ts";

for (const start of [themes, copying, keepCounting, live, proofs, keys, pulse]) start();
