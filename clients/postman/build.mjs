// Generates the Postman collection, its environment and the .http file in docs/api from requests.mjs. With --check it compares instead.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { folders } from './requests.mjs';

const targetPath = (name) => fileURLToPath(new URL(`../../docs/api/${name}`, import.meta.url));
const json = (value) => JSON.stringify(value, null, 2) + '\n';

const parseBody = `const body = (pm.response.headers.get('Content-Type') || '').includes('json') ? pm.response.json() : undefined;`;

// The checks of every response.
const commonChecks = `
const failed = pm.response.code >= 400;
${parseBody}
pm.test('has the headers of every response', () => {
  pm.expect(pm.response.code).to.be.below(500);
  pm.expect(pm.response.headers.get('X-Correlation-ID')).to.match(/^[-A-Za-z0-9._:/+=@]{1,128}$/);
  pm.expect(pm.response.headers.get('X-Content-Type-Options')).to.eql('nosniff');
  pm.expect(pm.response.headers.get('Cache-Control')).to.be.a('string');
});
if (failed) pm.test('is a problem document', () => {
  pm.expect(pm.response.headers.get('Content-Type')).to.eql('application/problem+json');
  pm.expect(body.status).to.eql(pm.response.code);
  pm.expect(body.type).to.eql('urn:millrace:problem:' + body.code);
  pm.expect(body).to.include.keys('title', 'detail');
  pm.expect(body.correlation_id).to.eql(pm.response.headers.get('X-Correlation-ID'));
  if (pm.response.code === 401) pm.expect(pm.response.headers.get('WWW-Authenticate')).to.match(/^Bearer /);
});`.trim().split('\n');

const statuses = (r) => [r.status].flat();

// source returns the JavaScript expression for body.<path> or header.<Name>.
function source(from) {
  const [where, ...path] = from.split('.');
  if (where === 'header') return `pm.response.headers.get('${path.join('.')}')`;
  return 'body.' + path.join('.').replaceAll('[', '?.[').replaceAll(/\.(?=\w)/g, '?.');
}

// script returns the test script of a request.
function script(r) {
  const checks = [
    `pm.test('${statuses(r).join(' or ')}${r.code ? ' ' + r.code : ''}', () => {`,
    `  pm.expect(pm.response.code, pm.response.text()).to.be.oneOf(${JSON.stringify(statuses(r))});`,
    ...(r.code ? [`  pm.expect(body.code).to.eql('${r.code}');`] : []),
    ...(statuses(r).includes(204) ? [`  pm.expect(pm.response.text()).to.eql('');`] : []),
    `});`,
    ...Object.entries(r.save).map(([name, from]) => `pm.collectionVariables.set('${name}', ${source(from)});`),
    ...(r.check.length ? [`pm.test('has the expected content', () => {`, ...r.check.map((line) => '  ' + line), `});`] : []),
  ];
  if (!r.until) return checks;
  return [
    `const tries = Number(pm.collectionVariables.get('tries') || 0);`,
    `if (!(${r.until}) && tries < 40) {`,
    `  pm.collectionVariables.set('tries', tries + 1);`,
    `  pm.execution.setNextRequest(pm.info.requestName);`,
    `  setTimeout(() => {}, 250);`,
    `} else {`,
    `  pm.collectionVariables.set('tries', 0);`,
    ...checks.map((line) => '  ' + line),
    `}`,
  ];
}

// item returns a request in the format of the collection.
function item(r) {
  const [path, query] = r.path.split('?');
  const url = { raw: '{{base_url}}' + r.path, host: ['{{base_url}}'], path: path.slice(1).split('/') };
  if (query) url.query = query.split('&').map((pair) => ({ key: pair.split('=')[0], value: pair.split('=')[1] }));
  const request = { method: r.method, header: Object.entries(r.headers).map(([key, value]) => ({ key, value })), url };
  if (r.body !== undefined) request.body = { mode: 'raw', raw: r.body, options: { raw: { language: 'json' } } };
  return { name: r.name, event: [{ listen: 'test', script: { type: 'text/javascript', exec: [parseBody, ...script(r)] } }], request };
}

const requests = folders.flatMap((f) => f.requests);
const names = requests.map((r) => r.name);
const duplicates = names.filter((name, i) => names.indexOf(name) !== i);
if (duplicates.length) throw new Error(`duplicate names: ${duplicates}`);

const collection = {
  info: {
    name: 'Millrace',
    description: 'Calls every route of the API in order and checks the responses. Import the environment too, and set admin_password to the password that the first start printed.',
    schema: 'https://schema.getpostman.com/json/collection/v2.1.0/collection.json',
  },
  event: [{ listen: 'test', script: { type: 'text/javascript', exec: commonChecks } }],
  item: folders.map((f) => ({ name: f.name, item: f.requests.map(item) })),
};

const values = [
  ['base_url', 'http://127.0.0.1:8080', 'default'], ['admin_email', 'admin@localhost', 'default'],
  ['admin_password', 'the password that the first start printed', 'secret'], ['admin_next_password', 'the wheel turns slowly', 'secret'],
];
const environment = {
  name: 'Millrace on localhost',
  values: values.map(([key, value, type]) => ({ key, value, type, enabled: true })),
  _postman_variable_scope: 'environment',
};

// label returns a name as an identifier in camel case.
function label(name) {
  return name.replaceAll(/[^A-Za-z ]/g, '').split(' ').map((w, i) => (i ? w[0].toUpperCase() + w.slice(1) : w.toLowerCase())).join('');
}

// plain returns a request in the format of .http files.
function plain(r) {
  const lines = [`### ${r.name}: ${statuses(r).join(' or ')}${r.code ? ' ' + r.code : ''}`];
  const saved = Object.entries(r.save);
  if (saved.length) lines.push(`# @name ${label(r.name)}`);
  lines.push(`${r.method} {{base_url}}${r.path}`, ...Object.entries(r.headers).map(([key, value]) => `${key}: ${value}`));
  if (r.body !== undefined) lines.push('', r.body);
  if (saved.length) lines.push('');
  for (const [name, from] of saved) lines.push(`@${name} = {{${label(r.name)}.response.${from.replace(/^header\./, 'headers.')}}}`);
  return lines.join('\n');
}

const http = [
  '# The requests of millrace.postman_collection.json, for editors that can send them, such as VS Code with REST Client.',
  '# Generated by clients/postman/build.mjs: edit requests.mjs there.',
  '', ...values.map(([key, value]) => `@${key} = ${value}`),
  '',
  ...folders.flatMap((f) => [`# ${f.name}`, '', ...f.requests.map((r) => plain(r) + '\n')]),
].join('\n');

const files = {
  'millrace.postman_collection.json': json(collection), 'millrace.postman_environment.json': json(environment), 'millrace.http': http,
};
for (const [name, content] of Object.entries(files)) {
  if (!process.argv.includes('--check')) writeFileSync(targetPath(name), content);
  else if (readFileSync(targetPath(name), 'utf8') !== content) {
    console.error(`docs/api/${name} is out of date: run make contract-update`);
    process.exitCode = 1;
  }
}
