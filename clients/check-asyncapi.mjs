// Checks an AsyncAPI document with the parser of the AsyncAPI project; its examples against their schemas too.
import { readFile } from 'node:fs/promises';
import { Parser } from '@asyncapi/parser';

const { document, diagnostics } = await new Parser().parse(await readFile(process.argv[2], 'utf8'));
const serious = diagnostics.filter((d) => d.severity <= 1);
for (const d of serious) console.error(`${d.path.join('/')}: ${d.message}`);
if (!document || serious.length > 0) process.exit(1);
console.log(`${process.argv[2]} is valid: ${document.channels().length} channels, ${document.allMessages().length} messages`);
