#!/usr/bin/env node
// The command line is bundled; dist/cli is made by `npm run build`.
import '../dist/cli/main.js';
