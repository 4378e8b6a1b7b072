// The walk over every route of the API: what is asked, what must come back, and what is remembered for later. build.mjs makes the Postman
// collection and the .http file of it, so that the two cannot drift apart.
//
// A request: name, 'METHOD /path?query', and
//   as       whose access token it carries: the name of a variable
//   headers  more headers
//   body     as JSON; a string goes as it is
//   want     the status; code: that of the problem
//   save     variables, from body.<path> or header.<Name> of the answer
//   check    more assertions, in the JavaScript of Postman; `body` is the answer's
//   until    a condition of the body: the request is repeated until it holds, for at most 10 s
const json = { 'Content-Type': 'application/json' };
const password = 'correct horse battery staple';
const nextPassword = 'gristmill by the river';
const nobody = '0195a1f0-7c1d-7000-8000-000000000000';

function walk(name, route, options) {
  const [method, path] = route.split(' ');
  const headers = { ...options.headers };
  if (options.as) headers.Authorization = `Bearer {{${options.as}}}`;
  if (options.body !== undefined && !headers['Content-Type']) Object.assign(headers, json);
  const body = options.body === undefined || typeof options.body === 'string' ? options.body : JSON.stringify(options.body, null, 2);
  return { name, method, path, check: [], save: {}, ...options, headers, body };
}

const ada = { email: 'ada-{{run}}@example.com', name: 'Ada', password };
const order = { items: [{ sku: 'FLOUR-1KG', quantity: 2, unit_price: 249 }], currency: 'EUR', note: 'ring twice' };
const noStore = `pm.expect(pm.response.headers.get('Cache-Control')).to.eql('no-store');`;
const replayed = `pm.expect(pm.response.headers.get('Idempotency-Replayed')).to.eql('true');`;
const tag = (n) => `pm.expect(pm.response.headers.get('ETag')).to.eql('"${n}"');`;

export const folders = [
  {
    name: 'Without signing in',
    requests: [
      walk('It is alive', 'GET /healthz', {
        want: 200, save: { run: 'header.X-Correlation-ID' }, check: [`pm.expect(body.status).to.eql('alive');`],
      }),
      walk('It is ready', 'GET /readyz', { want: 200, check: [`pm.expect(body.status).to.be.oneOf(['ready', 'degraded']);`] }),
      walk('Metrics', 'GET /metrics', { want: 200, check: [`pm.expect(pm.response.text()).to.include('millrace_http_requests_total');`] }),
      walk('The document of the routes', 'GET /openapi.json', { want: 200, check: [`pm.expect(body.openapi).to.match(/^3\\.1/);`] }),
      walk('The document of the events', 'GET /asyncapi.json', { want: 200, check: [`pm.expect(body.asyncapi).to.match(/^3\\./);`] }),
      walk('The public keys', 'GET /.well-known/jwks.json', {
        want: 200, check: [`pm.expect(body.keys[0].kty).to.eql('OKP');`, `pm.expect(body.keys[0]).to.not.have.property('d');`],
      }),
      walk('Nothing is there', 'GET /api/nothing', { want: 404, code: 'not_found' }),
      walk('Not with this method', 'DELETE /api/users', {
        want: 405, code: 'method_not_allowed', check: [`pm.expect(pm.response.headers.get('Allow')).to.include('POST');`],
      }),
      walk('Its correlation ID comes back', 'GET /healthz', {
        want: 200, headers: { 'X-Correlation-ID': 'walk-{{run}}' },
        check: [`pm.expect(pm.response.headers.get('X-Correlation-ID')).to.eql('walk-' + pm.variables.get('run'));`],
      }),
    ],
  },
  {
    name: 'Account',
    requests: [
      walk('Register', 'POST /api/users', {
        headers: { 'Idempotency-Key': 'register-{{run}}' }, body: ada, want: 201, save: { user_id: 'body.id', email: 'body.email' },
        check: [tag(1), `pm.expect(pm.response.headers.get('Location')).to.eql('/api/users/' + body.id);`,
          `pm.expect(body.role).to.eql('user');`, `pm.expect(JSON.stringify(body)).to.not.include('password');`],
      }),
      walk('Register, asked again', 'POST /api/users', {
        headers: { 'Idempotency-Key': 'register-{{run}}' }, body: ada, want: 201,
        check: [replayed, `pm.expect(body.id).to.eql(pm.variables.get('user_id'));`],
      }),
      walk('Register, its key used for another', 'POST /api/users', {
        headers: { 'Idempotency-Key': 'register-{{run}}' }, body: { ...ada, name: 'Eve' }, want: 422, code: 'idempotency_key_reused',
      }),
      walk('Register, the address is taken', 'POST /api/users', { body: ada, want: 409, code: 'email_taken' }),
      walk('Register, a weak password', 'POST /api/users', {
        body: { ...ada, email: 'bob-{{run}}@example.com', password: 'short' }, want: 422, code: 'invalid',
        check: [`pm.expect(body.errors[0].location).to.eql('body.password');`, `pm.expect(pm.response.text()).to.not.include('short');`],
      }),
      walk('Register as admin', 'POST /api/users', { body: { ...ada, role: 'admin' }, want: 422, code: 'invalid' }),
      walk('Register, broken JSON', 'POST /api/users', { body: '{"email": ', want: 400, code: 'malformed' }),
      walk('Register, no JSON', 'POST /api/users', {
        headers: { 'Content-Type': 'text/plain' }, body: 'hello', want: 415, code: 'unsupported_media_type',
      }),
      walk('Sign in, a wrong password', 'POST /api/auth/login', {
        body: { email: '{{email}}', password: 'wrong' }, want: 401, code: 'bad_credentials', check: [noStore],
      }),
      walk('Sign in, an unknown address', 'POST /api/auth/login', {
        body: { email: 'nobody-{{run}}@example.com', password: 'wrong' }, want: 401, code: 'bad_credentials',
      }),
      walk('Sign in', 'POST /api/auth/login', {
        body: { email: '{{email}}', password }, want: 200, save: { user_token: 'body.access_token', user_refresh: 'body.refresh_token' },
        check: [noStore, `pm.expect(body.token_type).to.eql('Bearer');`, `pm.expect(body.expires_in).to.be.within(1, 900);`],
      }),
      walk('One\'s own account', 'GET /api/users/me', {
        as: 'user_token', want: 200, save: { user_tag: 'header.ETag' },
        check: [tag(1), `pm.expect(body.id).to.eql(pm.variables.get('user_id'));`,
          `pm.expect(pm.response.headers.get('Cache-Control')).to.eql('private, no-cache');`],
      }),
      walk('It has not changed', 'GET /api/users/me', {
        as: 'user_token', headers: { 'If-None-Match': '{{user_tag}}' }, want: 304, check: [tag(1)],
      }),
      walk('One\'s own account, without signing in', 'GET /api/users/me', { want: 401, code: 'unauthenticated' }),
      walk('One\'s own account, with no token of ours', 'GET /api/users/me', {
        headers: { Authorization: 'Bearer eyJhbGciOiJub25lIn0.e30.' }, want: 401, code: 'invalid_token',
        check: [`pm.expect(pm.response.headers.get('WWW-Authenticate')).to.include('invalid_token');`],
      }),
      walk('An account', 'GET /api/users/{{user_id}}', { as: 'user_token', want: 200, check: [tag(1)] }),
      walk('Another\'s account', `GET /api/users/${nobody}`, { as: 'user_token', want: 404, code: 'user_not_found' }),
      walk('What is no ID', 'GET /api/users/ada', { as: 'user_token', want: 422, code: 'invalid' }),
      walk('Change the name', 'PUT /api/users/{{user_id}}', {
        as: 'user_token', headers: { 'If-Match': '{{user_tag}}' }, body: { name: 'Ada Lovelace' }, want: 200,
        check: [tag(2), `pm.expect(body.name).to.eql('Ada Lovelace');`, `pm.expect(body.email).to.eql(pm.variables.get('email'));`],
      }),
      walk('Change the name, of a version that was', 'PUT /api/users/{{user_id}}', {
        as: 'user_token', headers: { 'If-Match': '{{user_tag}}' }, body: { name: 'Ada King' }, want: 412, code: 'precondition_failed',
      }),
      walk('Make oneself admin', 'PUT /api/users/{{user_id}}', {
        as: 'user_token', body: { role: 'admin' }, want: 403, code: 'role_forbidden',
      }),
      walk('All accounts, as a user', 'GET /api/users', { as: 'user_token', want: 403, code: 'forbidden' }),
    ],
  },
  {
    name: 'Sessions',
    requests: [
      walk('The next pair of tokens', 'POST /api/auth/refresh', {
        body: { refresh_token: '{{user_refresh}}' }, want: 200, save: { user_token: 'body.access_token', user_refresh: 'body.refresh_token' },
        check: [noStore],
      }),
      walk('Sign in elsewhere', 'POST /api/auth/login', {
        body: { email: '{{email}}', password }, want: 200, save: { other_token: 'body.access_token', other_refresh: 'body.refresh_token' },
      }),
      walk('One\'s own sessions', 'GET /api/auth/sessions?limit=10', {
        as: 'user_token', want: 200, save: { other_session: 'body.items[0].id' },
        check: [noStore, `pm.expect(body.items).to.have.length(2);`, `pm.expect(body.items.map((s) => s.current)).to.eql([false, true]);`],
      }),
      walk('End the session elsewhere', 'DELETE /api/auth/sessions/{{other_session}}', { as: 'user_token', want: 204 }),
      walk('It cannot be refreshed', 'POST /api/auth/refresh', {
        body: { refresh_token: '{{other_refresh}}' }, want: 401, code: 'invalid_refresh_token',
      }),
      walk('End a session that is not there', `DELETE /api/auth/sessions/${nobody}`, { as: 'user_token', want: 404, code: 'session_not_found' }),
      walk('Change the password, without knowing it', 'PUT /api/users/{{user_id}}/password', {
        as: 'user_token', body: { current_password: 'wrong', new_password: nextPassword }, want: 403, code: 'wrong_password',
      }),
      walk('Change the password', 'PUT /api/users/{{user_id}}/password', {
        as: 'user_token', body: { current_password: password, new_password: nextPassword }, want: 204,
      }),
      walk('The old password is none', 'POST /api/auth/login', { body: { email: '{{email}}', password }, want: 401, code: 'bad_credentials' }),
      walk('Sign in to leave', 'POST /api/auth/login', {
        body: { email: '{{email}}', password: nextPassword }, want: 200, save: { other_refresh: 'body.refresh_token' },
      }),
      walk('Sign out', 'POST /api/auth/logout', { body: { refresh_token: '{{other_refresh}}' }, want: 204, check: [noStore] }),
      walk('Signed out is signed out', 'POST /api/auth/refresh', {
        body: { refresh_token: '{{other_refresh}}' }, want: 401, code: 'invalid_refresh_token',
      }),
      walk('Sign in with the new password', 'POST /api/auth/login', {
        body: { email: '{{email}}', password: nextPassword }, want: 200, save: { user_token: 'body.access_token' },
      }),
    ],
  },
  {
    name: 'Orders',
    requests: [
      walk('Place an order, without signing in', 'POST /api/orders', { body: order, want: 401, code: 'unauthenticated' }),
      walk('Place an order', 'POST /api/orders', {
        as: 'user_token', headers: { 'Idempotency-Key': 'order-{{run}}', 'X-Correlation-ID': 'walk-{{run}}' }, body: order, want: 201,
        save: { order_id: 'body.id', order_tag: 'header.ETag' },
        check: [tag(1), `pm.expect(body.total).to.eql(498);`, `pm.expect(body.status).to.eql('placed');`,
          `pm.expect(pm.response.headers.get('Location')).to.eql('/api/orders/' + body.id);`],
      }),
      walk('Place an order, asked again', 'POST /api/orders', {
        as: 'user_token', headers: { 'Idempotency-Key': 'order-{{run}}' }, body: order, want: 201,
        check: [replayed, `pm.expect(body.id).to.eql(pm.variables.get('order_id'));`],
      }),
      walk('Place an order, its key used for another', 'POST /api/orders', {
        as: 'user_token', headers: { 'Idempotency-Key': 'order-{{run}}' }, body: { ...order, currency: 'USD' }, want: 422,
        code: 'idempotency_key_reused',
      }),
      walk('Place an order, with a total of one\'s own', 'POST /api/orders', {
        as: 'user_token', body: { ...order, total: 1 }, want: 422, code: 'invalid',
      }),
      walk('Place an order, of nothing', 'POST /api/orders', {
        as: 'user_token', body: { items: [], currency: 'EUR' }, want: 422, code: 'invalid',
      }),
      walk('Place an order for another', 'POST /api/orders', {
        as: 'user_token', body: { ...order, user_id: nobody }, want: 403, code: 'user_forbidden',
      }),
      walk('Place a second order', 'POST /api/orders', {
        as: 'user_token', body: order, want: 201, save: { second_id: 'body.id' },
      }),
      walk('An order', 'GET /api/orders/{{order_id}}', { as: 'user_token', want: 200, check: [tag(1), `pm.expect(body.note).to.eql('ring twice');`] }),
      walk('The order has not changed', 'GET /api/orders/{{order_id}}', {
        as: 'user_token', headers: { 'If-None-Match': '{{order_tag}}' }, want: 304, check: [tag(1)],
      }),
      walk('An order that is not there', `GET /api/orders/${nobody}`, { as: 'user_token', want: 404, code: 'order_not_found' }),
      walk('Change the order', 'PUT /api/orders/{{order_id}}', {
        as: 'user_token', headers: { 'If-Match': '{{order_tag}}', 'X-Correlation-ID': 'walk-{{run}}' },
        body: { items: [{ sku: 'FLOUR-1KG', quantity: 3, unit_price: 249 }], note: null }, want: 200,
        check: [tag(2), `pm.expect(body.total).to.eql(747);`, `pm.expect(body.note).to.eql('');`],
      }),
      walk('Change the order, of a version that was', 'PUT /api/orders/{{order_id}}', {
        as: 'user_token', headers: { 'If-Match': '{{order_tag}}' }, body: { note: 'late' }, want: 412, code: 'precondition_failed',
      }),
      walk('Orders, a page of one', 'GET /api/orders?status=placed&limit=1', {
        as: 'user_token', want: 200, save: { cursor: 'body.next_cursor' },
        check: [`pm.expect(body.items).to.have.length(1);`, `pm.expect(body.items[0].id).to.eql(pm.variables.get('second_id'));`],
      }),
      walk('Orders, the next page', 'GET /api/orders?status=placed&limit=1&cursor={{cursor}}', {
        as: 'user_token', want: 200,
        check: [`pm.expect(body.items[0].id).to.eql(pm.variables.get('order_id'));`, `pm.expect(body).to.not.have.property('next_cursor');`],
      }),
      walk('Orders, the cursor of another list', 'GET /api/orders?limit=1&cursor={{cursor}}', { as: 'user_token', want: 422, code: 'invalid' }),
      walk('Cancel the order', 'POST /api/orders/{{order_id}}/cancel', {
        as: 'user_token', headers: { 'X-Correlation-ID': 'walk-{{run}}' }, body: { reason: 'changed my mind' }, want: 200,
        check: [tag(3), `pm.expect(body.status).to.eql('cancelled');`, `pm.expect(body.cancel_reason).to.eql('changed my mind');`],
      }),
      walk('Cancel the order again', 'POST /api/orders/{{order_id}}/cancel', {
        as: 'user_token', headers: { 'X-Correlation-ID': 'walk-{{run}}' }, body: { reason: 'twice' }, want: 200,
        check: [tag(3), `pm.expect(body.cancel_reason).to.eql('changed my mind');`],
      }),
      walk('Change a cancelled order', 'PUT /api/orders/{{order_id}}', {
        as: 'user_token', body: { note: 'too late' }, want: 409, code: 'order_cancelled',
      }),
      walk('Delete the order', 'DELETE /api/orders/{{order_id}}', {
        as: 'user_token', headers: { 'X-Correlation-ID': 'walk-{{run}}' }, want: 204,
      }),
      walk('The order is gone', 'GET /api/orders/{{order_id}}', { as: 'user_token', want: 404, code: 'order_not_found' }),
      walk('The history, as a user', 'GET /api/events', { as: 'user_token', want: 403, code: 'forbidden' }),
      walk('The poison queue, as a user', 'GET /api/poison', { as: 'user_token', want: 403, code: 'forbidden' }),
    ],
  },
  {
    name: 'Admin',
    requests: [
      walk('Sign in as admin', 'POST /api/auth/login', {
        body: { email: '{{admin_email}}', password: '{{admin_password}}' }, want: 200, save: { admin_token: 'body.access_token' },
      }),
      walk('The admin\'s own account', 'GET /api/users/me', {
        as: 'admin_token', want: 200, save: { admin_id: 'body.id' },
        check: [
          `pm.expect(body.role).to.eql('admin');`,
          `// A password that was drawn must be changed first. One that is one's own already needs no change: go on below.`,
          `const claims = pm.variables.get('admin_token').split('.')[1].replace(/-/g, '+').replace(/_/g, '/');`,
          `if (!JSON.parse(require('atob')(claims)).pwd_change) pm.execution.setNextRequest('Find an account');`,
        ],
      }),
      walk('Nothing else before the password is changed', 'GET /api/users', {
        as: 'admin_token', want: 403, code: 'password_change_required',
      }),
      walk('Change the drawn password', 'PUT /api/users/{{admin_id}}/password', {
        as: 'admin_token', body: { current_password: '{{admin_password}}', new_password: '{{admin_next_password}}' }, want: 204,
        check: [`pm.environment.set('admin_password', pm.variables.get('admin_next_password'));`],
      }),
      walk('Sign in as admin, with the password of one\'s own', 'POST /api/auth/login', {
        body: { email: '{{admin_email}}', password: '{{admin_next_password}}' }, want: 200, save: { admin_token: 'body.access_token' },
      }),
      walk('Find an account', 'GET /api/users?email={{email}}', {
        as: 'admin_token', want: 200,
        check: [`pm.expect(body.items).to.have.length(1);`, `pm.expect(body.items[0].id).to.eql(pm.variables.get('user_id'));`],
      }),
      walk('Give a role', 'PUT /api/users/{{user_id}}', {
        as: 'admin_token', body: { role: 'publisher' }, want: 200, check: [`pm.expect(body.role).to.eql('publisher');`],
      }),
      walk('Another\'s password', 'PUT /api/users/{{user_id}}/password', {
        as: 'admin_token', body: { current_password: nextPassword, new_password: 'another password of mine' }, want: 403,
        code: 'password_forbidden',
      }),
      walk('The last admin stays', 'DELETE /api/users/{{admin_id}}', { as: 'admin_token', want: 409, code: 'last_admin' }),
      walk('Another\'s order', 'GET /api/orders/{{second_id}}', { as: 'admin_token', want: 200 }),
      walk('What the first order caused', 'GET /api/events?correlation_id=walk-{{run}}&key={{order_id}}&order=asc', {
        as: 'admin_token', want: 200, until: 'body.items.length >= 4', save: { event_id: 'body.items[0].id' },
        check: [
          `pm.expect(body.items.map((e) => e.type)).to.eql(['order.placed.v1', 'order.updated.v1', 'order.cancelled.v1', 'order.deleted.v1']);`,
          `pm.expect(body.items.map((e) => e.sequence)).to.eql([1, 2, 3, 4]);`,
        ],
      }),
      walk('An event', 'GET /api/events/{{event_id}}', {
        as: 'admin_token', want: 200,
        check: [`pm.expect(body.metadata['ce-type']).to.eql('order.placed.v1');`, `pm.expect(body.data.total).to.eql(498);`,
          `pm.expect(body.data).to.not.have.property('note');`],
      }),
      walk('An event that is not there', `GET /api/events/${nobody}`, { as: 'admin_token', want: 404, code: 'event_not_found' }),
      walk('The poison queue', 'GET /api/poison?status=open', {
        as: 'admin_token', want: 200, save: { poison_id: 'body.items[0].id' },
        check: [
          `// On a healthy server it is empty: the next requests find nothing then.`,
          `if (body.items.length === 0) pm.collectionVariables.set('poison_id', '${nobody}');`,
        ],
      }),
      walk('A poison message', 'GET /api/poison/{{poison_id}}', {
        as: 'admin_token', want: [200, 404],
        check: [`if (pm.response.code === 200) pm.expect(body).to.include.keys('reason', 'attempts', 'fingerprint', 'consumer');`],
      }),
      walk('Send it back to its consumer', 'POST /api/poison/{{poison_id}}/requeue', {
        as: 'admin_token', want: [200, 404], check: [`if (pm.response.code === 200) pm.expect(body.status).to.eql('requeued');`],
      }),
      walk('A poison message that is not there', `POST /api/poison/${nobody}/requeue`, { as: 'admin_token', want: 404, code: 'poison_not_found' }),
      walk('End all sessions of a user', 'DELETE /api/users/{{user_id}}/sessions', { as: 'admin_token', want: 204 }),
      walk('Sessions of nobody', `DELETE /api/users/${nobody}/sessions`, { as: 'admin_token', want: 404, code: 'user_not_found' }),
    ],
  },
  {
    name: 'Leaving',
    requests: [
      walk('Delete one\'s account', 'DELETE /api/users/{{user_id}}', { as: 'user_token', want: 204 }),
      walk('The account is gone', 'GET /api/users/{{user_id}}', { as: 'admin_token', want: 404, code: 'user_not_found' }),
      walk('Its placed order is cancelled', 'GET /api/orders/{{second_id}}', {
        as: 'admin_token', want: 200, until: `body.status === 'cancelled'`, check: [`pm.expect(body.cancel_reason).to.eql('user_deleted');`],
      }),
      walk('Its token is none any more', 'GET /api/orders', { as: 'user_token', want: 401, code: 'invalid_token', until: `body.code === 'invalid_token'` }),
    ],
  },
];
