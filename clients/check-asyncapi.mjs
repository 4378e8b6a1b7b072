// Validates an AsyncAPI document with the parser of the AsyncAPI project. The parser does not validate examples, so this script validates them
// against their schemas.
import { readFile } from 'node:fs/promises';
import { Parser } from '@asyncapi/parser';
import Ajv from 'ajv/dist/2020.js';
import formats from 'ajv-formats';

const text = await readFile(process.argv[2], 'utf8');
const { document, diagnostics } = await new Parser().parse(text);
const problems = diagnostics.filter((d) => d.severity <= 1).map((d) => `${d.path.join('/')}: ${d.message}`);

const ajv = formats(new Ajv({ strict: false, allErrors: true }));
const { components } = JSON.parse(text);
ajv.addSchema({ $id: 'file:///document', components });
for (const [name, message] of Object.entries(components.messages)) {
  for (const [i, example] of message.examples.entries()) {
    for (const part of ['headers', 'payload']) {
      const valid = ajv.compile({ $ref: `file:///document#/components/messages/${name}/${part}` });
      if (!valid(example[part])) problems.push(`${name}, ${part} of example ${i}: ${ajv.errorsText(valid.errors)}`);
    }
  }
}

for (const line of problems) console.error(line);
if (!document || problems.length > 0) process.exit(1);
console.log(`${process.argv[2]} is valid: ${document.channels().length} channels, ${document.allMessages().length} messages`);
