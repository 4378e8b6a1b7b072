// Registers a user, signs in and places an order. The types are generated from docs/api/openapi.json, so that an unknown path, field or status
// is a compile error.
import createClient, { type Middleware } from 'openapi-fetch';
import type { components, paths } from './schema.js';

type Problem = components['schemas']['Problem'];

const api = createClient<paths>({ baseUrl: process.env['MILLRACE_URL'] ?? 'http://127.0.0.1:8080' });

// unwrap returns the data of a response, or throws its problem as an error.
function unwrap<T>(result: { data?: T; error?: Problem; response: Response }): T {
  if (result.data === undefined) {
    const { code, detail, correlation_id } = result.error ?? { code: String(result.response.status), detail: '', correlation_id: '' };
    throw new Error(`${code}: ${detail} (${correlation_id})`);
  }
  return result.data;
}

const bearerToken = (token: string): Middleware => ({
  onRequest({ request }) {
    request.headers.set('Authorization', `Bearer ${token}`);
    return request;
  },
});

const email = `grace-${Date.now()}@example.com`, password = 'correct horse battery staple';
const user = unwrap(await api.POST('/api/users', { body: { email, name: 'Grace', password } }));
const tokens = unwrap(await api.POST('/api/auth/login', { body: { email, password } }));
api.use(bearerToken(tokens.access_token));

const placed = await api.POST('/api/orders', {
  params: { header: { 'Idempotency-Key': `order-of-${user.id}` } },
  body: { items: [{ sku: 'FLOUR-1KG', quantity: 2, unit_price: 249 }], currency: 'EUR' },
});
const order = unwrap(placed);
const tag = placed.response.headers.get('ETag') ?? '';
const changed = unwrap(await api.PUT('/api/orders/{id}', {
  params: { path: { id: order.id }, header: { 'If-Match': tag } }, body: { note: 'ring twice' },
}));
const stale = await api.PUT('/api/orders/{id}', {
  params: { path: { id: order.id }, header: { 'If-Match': tag } }, body: { note: 'too late' },
});
if (stale.error?.code !== 'precondition_failed') throw new Error('the update of an outdated version was not rejected');
console.log(`order ${changed.id}: ${changed.total} ${changed.currency} in minor units, version ${changed.version}, ${changed.note}`);
