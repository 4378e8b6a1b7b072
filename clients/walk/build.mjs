// Writes the Postman collection, its environment and the .http file of requests.mjs to docs/api; with --check it compares instead.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { folders } from './requests.mjs';

const target = (name) => fileURLToPath(new URL(`../../docs/api/${name}`, import.meta.url));
const json = (value) => JSON.stringify(value, null, 2) + '\n';

const parsed = `const body = (pm.response.headers.get('Content-Type') || '').includes('json') ? pm.response.json() : undefined;`;

// What must hold for every answer.
const always = `
const failed = pm.response.code >= 400;
${parsed}
pm.test('the answer is one of ours', () => {
  pm.expect(pm.response.code).to.be.below(500);
  pm.expect(pm.response.headers.get('X-Correlation-ID')).to.match(/^[-A-Za-z0-9._:/+=@]{1,128}$/);
  pm.expect(pm.response.headers.get('X-Content-Type-Options')).to.eql('nosniff');
  pm.expect(pm.response.headers.get('Cache-Control')).to.be.a('string');
});
if (failed) pm.test('a failure is a problem', () => {
  pm.expect(pm.response.headers.get('Content-Type')).to.eql('application/problem+json');
  pm.expect(body.status).to.eql(pm.response.code);
  pm.expect(body.type).to.eql('urn:millrace:problem:' + body.code);
  pm.expect(body).to.include.keys('title', 'detail');
  pm.expect(body.correlation_id).to.eql(pm.response.headers.get('X-Correlation-ID'));
  if (pm.response.code === 401) pm.expect(pm.response.headers.get('WWW-Authenticate')).to.match(/^Bearer /);
});`.trim().split('\n');

const statuses = (r) => [r.want].flat();

function source(from) {
  const [where, ...path] = from.split('.');
  if (where === 'header') return `pm.response.headers.get('${path.join('.')}')`;
  return 'body.' + path.join('.').replaceAll('[', '?.[').replaceAll(/\.(?=\w)/g, '?.');
}

function script(r) {
  const told = [
    `pm.test('${statuses(r).join(' or ')}${r.code ? ' ' + r.code : ''}', () => {`,
    `  pm.expect(pm.response.code, pm.response.text()).to.be.oneOf(${JSON.stringify(statuses(r))});`,
    ...(r.code ? [`  pm.expect(body.code).to.eql('${r.code}');`] : []),
    ...(statuses(r).includes(204) ? [`  pm.expect(pm.response.text()).to.eql('');`] : []),
    `});`,
    ...Object.entries(r.save).map(([name, from]) => `pm.collectionVariables.set('${name}', ${source(from)});`),
    ...(r.check.length ? [`pm.test('as it should be', () => {`, ...r.check.map((line) => '  ' + line), `});`] : []),
  ];
  if (!r.until) return told;
  return [
    `const tries = Number(pm.collectionVariables.get('tries') || 0);`,
    `if (!(${r.until}) && tries < 40) {`,
    `  pm.collectionVariables.set('tries', tries + 1);`,
    `  pm.execution.setNextRequest(pm.info.requestName);`,
    `  setTimeout(() => {}, 250);`,
    `} else {`,
    `  pm.collectionVariables.set('tries', 0);`,
    ...told.map((line) => '  ' + line),
    `}`,
  ];
}

function item(r) {
  const [path, query] = r.path.split('?');
  const url = { raw: '{{base_url}}' + r.path, host: ['{{base_url}}'], path: path.slice(1).split('/') };
  if (query) url.query = query.split('&').map((pair) => ({ key: pair.split('=')[0], value: pair.split('=')[1] }));
  const request = { method: r.method, header: Object.entries(r.headers).map(([key, value]) => ({ key, value })), url };
  if (r.body !== undefined) request.body = { mode: 'raw', raw: r.body, options: { raw: { language: 'json' } } };
  return { name: r.name, event: [{ listen: 'test', script: { type: 'text/javascript', exec: [parsed, ...script(r)] } }], request };
}

const requests = folders.flatMap((f) => f.requests);
const names = requests.map((r) => r.name);
const twice = names.filter((name, i) => names.indexOf(name) !== i);
if (twice.length) throw new Error(`two requests of one name: ${twice}`);

const collection = {
  info: {
    name: 'Millrace',
    description: 'Walks every route, in order, with assertions. Take the environment beside it; admin_password is what the first start printed.',
    schema: 'https://schema.getpostman.com/json/collection/v2.1.0/collection.json',
  },
  event: [{ listen: 'test', script: { type: 'text/javascript', exec: always } }],
  item: folders.map((f) => ({ name: f.name, item: f.requests.map(item) })),
};

const values = [
  ['base_url', 'http://127.0.0.1:8080', 'default'], ['admin_email', 'admin@localhost', 'default'],
  ['admin_password', 'what the first start printed', 'secret'], ['admin_next_password', 'the wheel turns slowly', 'secret'],
];
const environment = {
  name: 'Millrace on this machine',
  values: values.map(([key, value, type]) => ({ key, value, type, enabled: true })),
  _postman_variable_scope: 'environment',
};

function label(name) {
  return name.replaceAll(/[^A-Za-z ]/g, '').split(' ').map((w, i) => (i ? w[0].toUpperCase() + w.slice(1) : w.toLowerCase())).join('');
}

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
  '# The requests of millrace.postman_collection.json, for editors that send them (VS Code REST Client and what reads its form).',
  '# Made by clients/walk/build.mjs: change requests.mjs there.',
  '', ...values.map(([key, value]) => `@${key} = ${value}`),
  '',
  ...folders.flatMap((f) => [`# ${f.name}`, '', ...f.requests.map((r) => plain(r) + '\n')]),
].join('\n');

const files = {
  'millrace.postman_collection.json': json(collection), 'millrace.postman_environment.json': json(environment), 'millrace.http': http,
};
for (const [name, content] of Object.entries(files)) {
  if (!process.argv.includes('--check')) writeFileSync(target(name), content);
  else if (readFileSync(target(name), 'utf8') !== content) {
    console.error(`docs/api/${name} is not what clients/walk makes: make contract-update`);
    process.exitCode = 1;
  }
}
