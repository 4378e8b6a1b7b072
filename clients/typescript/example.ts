// Registers, signs in and places an order, with types made from docs/api/openapi.json: a path, field or status that the API does not have
// is an error of the compiler.
import createClient, { type Middleware } from 'openapi-fetch';
import type { components, paths } from './schema.js';

type Problem = components['schemas']['Problem'];

const api = createClient<paths>({ baseUrl: process.env['MILLRACE_URL'] ?? 'http://127.0.0.1:8080' });

// given takes an answer's data, or throws the problem that came instead.
function given<T>(answer: { data?: T; error?: Problem; response: Response }): T {
  if (answer.data === undefined) {
    const { code, detail, correlation_id } = answer.error ?? { code: String(answer.response.status), detail: '', correlation_id: '' };
    throw new Error(`${code}: ${detail} (${correlation_id})`);
  }
  return answer.data;
}

const signedIn = (token: string): Middleware => ({
  onRequest({ request }) {
    request.headers.set('Authorization', `Bearer ${token}`);
    return request;
  },
});

const email = `grace-${Date.now()}@example.com`, password = 'correct horse battery staple';
const user = given(await api.POST('/api/users', { body: { email, name: 'Grace', password } }));
const tokens = given(await api.POST('/api/auth/login', { body: { email, password } }));
api.use(signedIn(tokens.access_token));

const placed = await api.POST('/api/orders', {
  params: { header: { 'Idempotency-Key': `order-of-${user.id}` } },
  body: { items: [{ sku: 'FLOUR-1KG', quantity: 2, unit_price: 249 }], currency: 'EUR' },
});
const order = given(placed);
const tag = placed.response.headers.get('ETag') ?? '';
const changed = given(await api.PUT('/api/orders/{id}', {
  params: { path: { id: order.id }, header: { 'If-Match': tag } }, body: { note: 'ring twice' },
}));
const stale = await api.PUT('/api/orders/{id}', {
  params: { path: { id: order.id }, header: { 'If-Match': tag } }, body: { note: 'too late' },
});
if (stale.error?.code !== 'precondition_failed') throw new Error('a version that was could be changed');
console.log(`order ${changed.id}: ${changed.total} ${changed.currency} in minor units, version ${changed.version}, ${changed.note}`);
