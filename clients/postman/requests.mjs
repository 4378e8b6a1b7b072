// The requests of the Postman collection and of the .http file, which build.mjs generates from this file. They call every route of the API in
// order, and check the responses.
//
// A request has a name, 'METHOD /path?query', and
//   token    the variable that contains the access token
//   headers  additional headers
//   body     an object, which is sent as JSON, or a string, which is sent unchanged
//   status   the expected status, or an array of them; code: the expected code of the problem
//   save     variables to set, from body.<path> or header.<Name> of the response
//   check    additional assertions in Postman's JavaScript; `body` is the parsed body of the response
//   until    a condition on the body; the request is repeated until it holds, for at most 10 s
const json = { 'Content-Type': 'application/json' };
const password = 'correct horse battery staple';
const nextPassword = 'gristmill by the river';
const unknownID = '0195a1f0-7c1d-7000-8000-000000000000';

function request(name, route, options) {
  const [method, path] = route.split(' ');
  const headers = { ...options.headers };
  if (options.token) headers.Authorization = `Bearer {{${options.token}}}`;
  if (options.body !== undefined && !headers['Content-Type']) Object.assign(headers, json);
  const body = options.body === undefined || typeof options.body === 'string' ? options.body : JSON.stringify(options.body, null, 2);
  return { name, method, path, check: [], save: {}, ...options, headers, body };
}

const ada = { email: 'ada-{{run}}@example.com', name: 'Ada', password };
const order = { items: [{ sku: 'FLOUR-1KG', quantity: 2, unit_price: 249 }], currency: 'EUR', note: 'ring twice' };
const isNoStore = `pm.expect(pm.response.headers.get('Cache-Control')).to.eql('no-store');`;
const isReplayed = `pm.expect(pm.response.headers.get('Idempotency-Replayed')).to.eql('true');`;
const hasETag = (n) => `pm.expect(pm.response.headers.get('ETag')).to.eql('"${n}"');`;

export const folders = [
  {
    name: 'Public routes',
    requests: [
      request('Liveness', 'GET /healthz', {
        status: 200, save: { run: 'header.X-Correlation-ID' }, check: [`pm.expect(body.status).to.eql('alive');`],
      }),
      request('Readiness', 'GET /readyz', { status: 200, check: [`pm.expect(body.status).to.be.oneOf(['ready', 'degraded']);`] }),
      request('Metrics', 'GET /metrics', { status: 200, check: [`pm.expect(pm.response.text()).to.include('millrace_http_requests_total');`] }),
      request('OpenAPI document', 'GET /openapi.json', { status: 200, check: [`pm.expect(body.openapi).to.match(/^3\\.1/);`] }),
      request('AsyncAPI document', 'GET /asyncapi.json', { status: 200, check: [`pm.expect(body.asyncapi).to.match(/^3\\./);`] }),
      request('Public keys', 'GET /.well-known/jwks.json', {
        status: 200, check: [`pm.expect(body.keys[0].kty).to.eql('OKP');`, `pm.expect(body.keys[0]).to.not.have.property('d');`],
      }),
      request('Unknown route', 'GET /api/nothing', { status: 404, code: 'not_found' }),
      request('Method not allowed', 'DELETE /api/users', {
        status: 405, code: 'method_not_allowed', check: [`pm.expect(pm.response.headers.get('Allow')).to.include('POST');`],
      }),
      request('Correlation ID is returned', 'GET /healthz', {
        status: 200, headers: { 'X-Correlation-ID': 'postman-{{run}}' },
        check: [`pm.expect(pm.response.headers.get('X-Correlation-ID')).to.eql('postman-' + pm.variables.get('run'));`],
      }),
    ],
  },
  {
    name: 'Account',
    requests: [
      request('Register', 'POST /api/users', {
        headers: { 'Idempotency-Key': 'register-{{run}}' }, body: ada, status: 201, save: { user_id: 'body.id', email: 'body.email' },
        check: [hasETag(1), `pm.expect(pm.response.headers.get('Location')).to.eql('/api/users/' + body.id);`,
          `pm.expect(body.role).to.eql('user');`, `pm.expect(JSON.stringify(body)).to.not.include('password');`],
      }),
      request('Register: same idempotency key', 'POST /api/users', {
        headers: { 'Idempotency-Key': 'register-{{run}}' }, body: ada, status: 201,
        check: [isReplayed, `pm.expect(body.id).to.eql(pm.variables.get('user_id'));`],
      }),
      request('Register: idempotency key reused with another body', 'POST /api/users', {
        headers: { 'Idempotency-Key': 'register-{{run}}' }, body: { ...ada, name: 'Eve' }, status: 422, code: 'idempotency_key_reused',
      }),
      request('Register: duplicate e-mail address', 'POST /api/users', { body: ada, status: 409, code: 'email_taken' }),
      request('Register: weak password', 'POST /api/users', {
        body: { ...ada, email: 'bob-{{run}}@example.com', password: 'short' }, status: 422, code: 'invalid',
        check: [`pm.expect(body.errors[0].location).to.eql('body.password');`, `pm.expect(pm.response.text()).to.not.include('short');`],
      }),
      request('Register: with a role', 'POST /api/users', { body: { ...ada, role: 'admin' }, status: 422, code: 'invalid' }),
      request('Register: malformed JSON', 'POST /api/users', { body: '{"email": ', status: 400, code: 'malformed' }),
      request('Register: unsupported content type', 'POST /api/users', {
        headers: { 'Content-Type': 'text/plain' }, body: 'hello', status: 415, code: 'unsupported_media_type',
      }),
      request('Sign in: wrong password', 'POST /api/auth/login', {
        body: { email: '{{email}}', password: 'wrong' }, status: 401, code: 'bad_credentials', check: [isNoStore],
      }),
      request('Sign in: unknown e-mail address', 'POST /api/auth/login', {
        body: { email: 'nobody-{{run}}@example.com', password: 'wrong' }, status: 401, code: 'bad_credentials',
      }),
      request('Sign in', 'POST /api/auth/login', {
        body: { email: '{{email}}', password }, status: 200, save: { user_token: 'body.access_token', user_refresh: 'body.refresh_token' },
        check: [isNoStore, `pm.expect(body.token_type).to.eql('Bearer');`, `pm.expect(body.expires_in).to.be.within(1, 900);`],
      }),
      request('Get the own account', 'GET /api/users/me', {
        token: 'user_token', status: 200, save: { user_tag: 'header.ETag' },
        check: [hasETag(1), `pm.expect(body.id).to.eql(pm.variables.get('user_id'));`,
          `pm.expect(pm.response.headers.get('Cache-Control')).to.eql('private, no-cache');`],
      }),
      request('Get the own account: not modified', 'GET /api/users/me', {
        token: 'user_token', headers: { 'If-None-Match': '{{user_tag}}' }, status: 304, check: [hasETag(1)],
      }),
      request('Get the own account: without a token', 'GET /api/users/me', { status: 401, code: 'unauthenticated' }),
      request('Get the own account: invalid token', 'GET /api/users/me', {
        headers: { Authorization: 'Bearer eyJhbGciOiJub25lIn0.e30.' }, status: 401, code: 'invalid_token',
        check: [`pm.expect(pm.response.headers.get('WWW-Authenticate')).to.include('invalid_token');`],
      }),
      request('Get a user', 'GET /api/users/{{user_id}}', { token: 'user_token', status: 200, check: [hasETag(1)] }),
      request('Get a user: of another account', `GET /api/users/${unknownID}`, { token: 'user_token', status: 404, code: 'user_not_found' }),
      request('Get a user: invalid ID', 'GET /api/users/ada', { token: 'user_token', status: 422, code: 'invalid' }),
      request('Update the user', 'PUT /api/users/{{user_id}}', {
        token: 'user_token', headers: { 'If-Match': '{{user_tag}}' }, body: { name: 'Ada Lovelace' }, status: 200,
        check: [hasETag(2), `pm.expect(body.name).to.eql('Ada Lovelace');`, `pm.expect(body.email).to.eql(pm.variables.get('email'));`],
      }),
      request('Update the user: outdated version', 'PUT /api/users/{{user_id}}', {
        token: 'user_token', headers: { 'If-Match': '{{user_tag}}' }, body: { name: 'Ada King' }, status: 412, code: 'precondition_failed',
      }),
      request('Update the user: role as a user', 'PUT /api/users/{{user_id}}', {
        token: 'user_token', body: { role: 'admin' }, status: 403, code: 'role_forbidden',
      }),
      request('List users: as a user', 'GET /api/users', { token: 'user_token', status: 403, code: 'forbidden' }),
    ],
  },
  {
    name: 'Sessions',
    requests: [
      request('Refresh the tokens', 'POST /api/auth/refresh', {
        body: { refresh_token: '{{user_refresh}}' }, status: 200, save: { user_token: 'body.access_token', user_refresh: 'body.refresh_token' },
        check: [isNoStore],
      }),
      request('Sign in on a second device', 'POST /api/auth/login', {
        body: { email: '{{email}}', password }, status: 200, save: { other_token: 'body.access_token', other_refresh: 'body.refresh_token' },
      }),
      request('List the own sessions', 'GET /api/auth/sessions?limit=10', {
        token: 'user_token', status: 200, save: { other_session: 'body.items[0].id' },
        check: [isNoStore, `pm.expect(body.items).to.have.length(2);`, `pm.expect(body.items.map((s) => s.current)).to.eql([false, true]);`],
      }),
      request('End the other session', 'DELETE /api/auth/sessions/{{other_session}}', { token: 'user_token', status: 204 }),
      request('Refresh the tokens: session has ended', 'POST /api/auth/refresh', {
        body: { refresh_token: '{{other_refresh}}' }, status: 401, code: 'invalid_refresh_token',
      }),
      request('End a session: unknown ID', `DELETE /api/auth/sessions/${unknownID}`, { token: 'user_token', status: 404, code: 'session_not_found' }),
      request('Change the password: wrong current password', 'PUT /api/users/{{user_id}}/password', {
        token: 'user_token', body: { current_password: 'wrong', new_password: nextPassword }, status: 403, code: 'wrong_password',
      }),
      request('Change the password', 'PUT /api/users/{{user_id}}/password', {
        token: 'user_token', body: { current_password: password, new_password: nextPassword }, status: 204,
      }),
      request('Sign in: old password', 'POST /api/auth/login', { body: { email: '{{email}}', password }, status: 401, code: 'bad_credentials' }),
      request('Sign in for signing out', 'POST /api/auth/login', {
        body: { email: '{{email}}', password: nextPassword }, status: 200, save: { other_refresh: 'body.refresh_token' },
      }),
      request('Sign out', 'POST /api/auth/logout', { body: { refresh_token: '{{other_refresh}}' }, status: 204, check: [isNoStore] }),
      request('Refresh the tokens: after signing out', 'POST /api/auth/refresh', {
        body: { refresh_token: '{{other_refresh}}' }, status: 401, code: 'invalid_refresh_token',
      }),
      request('Sign in with the new password', 'POST /api/auth/login', {
        body: { email: '{{email}}', password: nextPassword }, status: 200, save: { user_token: 'body.access_token' },
      }),
    ],
  },
  {
    name: 'Orders',
    requests: [
      request('Place an order: without a token', 'POST /api/orders', { body: order, status: 401, code: 'unauthenticated' }),
      request('Place an order', 'POST /api/orders', {
        token: 'user_token', headers: { 'Idempotency-Key': 'order-{{run}}', 'X-Correlation-ID': 'postman-{{run}}' }, body: order, status: 201,
        save: { order_id: 'body.id', order_tag: 'header.ETag' },
        check: [hasETag(1), `pm.expect(body.total).to.eql(498);`, `pm.expect(body.status).to.eql('placed');`,
          `pm.expect(pm.response.headers.get('Location')).to.eql('/api/orders/' + body.id);`],
      }),
      request('Place an order: same idempotency key', 'POST /api/orders', {
        token: 'user_token', headers: { 'Idempotency-Key': 'order-{{run}}' }, body: order, status: 201,
        check: [isReplayed, `pm.expect(body.id).to.eql(pm.variables.get('order_id'));`],
      }),
      request('Place an order: idempotency key reused with another body', 'POST /api/orders', {
        token: 'user_token', headers: { 'Idempotency-Key': 'order-{{run}}' }, body: { ...order, currency: 'USD' }, status: 422,
        code: 'idempotency_key_reused',
      }),
      request('Place an order: with a total', 'POST /api/orders', {
        token: 'user_token', body: { ...order, total: 1 }, status: 422, code: 'invalid',
      }),
      request('Place an order: without items', 'POST /api/orders', {
        token: 'user_token', body: { items: [], currency: 'EUR' }, status: 422, code: 'invalid',
      }),
      request('Place an order: for another user', 'POST /api/orders', {
        token: 'user_token', body: { ...order, user_id: unknownID }, status: 403, code: 'user_forbidden',
      }),
      request('Place a second order', 'POST /api/orders', {
        token: 'user_token', body: order, status: 201, save: { second_id: 'body.id' },
      }),
      request('Get the order', 'GET /api/orders/{{order_id}}', {
        token: 'user_token', status: 200, check: [hasETag(1), `pm.expect(body.note).to.eql('ring twice');`],
      }),
      request('Get the order: not modified', 'GET /api/orders/{{order_id}}', {
        token: 'user_token', headers: { 'If-None-Match': '{{order_tag}}' }, status: 304, check: [hasETag(1)],
      }),
      request('Get an order: unknown ID', `GET /api/orders/${unknownID}`, { token: 'user_token', status: 404, code: 'order_not_found' }),
      request('Update the order', 'PUT /api/orders/{{order_id}}', {
        token: 'user_token', headers: { 'If-Match': '{{order_tag}}', 'X-Correlation-ID': 'postman-{{run}}' },
        body: { items: [{ sku: 'FLOUR-1KG', quantity: 3, unit_price: 249 }], note: null }, status: 200,
        check: [hasETag(2), `pm.expect(body.total).to.eql(747);`, `pm.expect(body.note).to.eql('');`],
      }),
      request('Update the order: outdated version', 'PUT /api/orders/{{order_id}}', {
        token: 'user_token', headers: { 'If-Match': '{{order_tag}}' }, body: { note: 'late' }, status: 412, code: 'precondition_failed',
      }),
      request('List orders: first page', 'GET /api/orders?status=placed&limit=1', {
        token: 'user_token', status: 200, save: { cursor: 'body.next_cursor' },
        check: [`pm.expect(body.items).to.have.length(1);`, `pm.expect(body.items[0].id).to.eql(pm.variables.get('second_id'));`],
      }),
      request('List orders: second page', 'GET /api/orders?status=placed&limit=1&cursor={{cursor}}', {
        token: 'user_token', status: 200,
        check: [`pm.expect(body.items[0].id).to.eql(pm.variables.get('order_id'));`, `pm.expect(body).to.not.have.property('next_cursor');`],
      }),
      request('List orders: cursor of another list', 'GET /api/orders?limit=1&cursor={{cursor}}', { token: 'user_token', status: 422, code: 'invalid' }),
      request('Cancel the order', 'POST /api/orders/{{order_id}}/cancel', {
        token: 'user_token', headers: { 'X-Correlation-ID': 'postman-{{run}}' }, body: { reason: 'changed my mind' }, status: 200,
        check: [hasETag(3), `pm.expect(body.status).to.eql('cancelled');`, `pm.expect(body.cancel_reason).to.eql('changed my mind');`],
      }),
      request('Cancel the order again', 'POST /api/orders/{{order_id}}/cancel', {
        token: 'user_token', headers: { 'X-Correlation-ID': 'postman-{{run}}' }, body: { reason: 'twice' }, status: 200,
        check: [hasETag(3), `pm.expect(body.cancel_reason).to.eql('changed my mind');`],
      }),
      request('Update the order: already cancelled', 'PUT /api/orders/{{order_id}}', {
        token: 'user_token', body: { note: 'too late' }, status: 409, code: 'order_cancelled',
      }),
      request('Delete the order', 'DELETE /api/orders/{{order_id}}', {
        token: 'user_token', headers: { 'X-Correlation-ID': 'postman-{{run}}' }, status: 204,
      }),
      request('Get the order: deleted', 'GET /api/orders/{{order_id}}', { token: 'user_token', status: 404, code: 'order_not_found' }),
      request('List events: as a user', 'GET /api/events', { token: 'user_token', status: 403, code: 'forbidden' }),
      request('List poison messages: as a user', 'GET /api/poison', { token: 'user_token', status: 403, code: 'forbidden' }),
    ],
  },
  {
    name: 'Admin',
    requests: [
      request('Sign in as admin', 'POST /api/auth/login', {
        body: { email: '{{admin_email}}', password: '{{admin_password}}' }, status: 200, save: { admin_token: 'body.access_token' },
      }),
      request('Get the admin\'s account', 'GET /api/users/me', {
        token: 'admin_token', status: 200, save: { admin_id: 'body.id' },
        check: [
          `pm.expect(body.role).to.eql('admin');`,
          `// Only a generated password must be changed. Otherwise the next three requests are skipped.`,
          `const claims = pm.variables.get('admin_token').split('.')[1].replace(/-/g, '+').replace(/_/g, '/');`,
          `if (!JSON.parse(require('atob')(claims)).pwd_change) pm.execution.setNextRequest('Find a user by e-mail address');`,
        ],
      }),
      request('List users: before the password is changed', 'GET /api/users', {
        token: 'admin_token', status: 403, code: 'password_change_required',
      }),
      request('Change the generated password', 'PUT /api/users/{{admin_id}}/password', {
        token: 'admin_token', body: { current_password: '{{admin_password}}', new_password: '{{admin_next_password}}' }, status: 204,
        check: [`pm.environment.set('admin_password', pm.variables.get('admin_next_password'));`],
      }),
      request('Sign in as admin: new password', 'POST /api/auth/login', {
        body: { email: '{{admin_email}}', password: '{{admin_next_password}}' }, status: 200, save: { admin_token: 'body.access_token' },
      }),
      request('Find a user by e-mail address', 'GET /api/users?email={{email}}', {
        token: 'admin_token', status: 200,
        check: [`pm.expect(body.items).to.have.length(1);`, `pm.expect(body.items[0].id).to.eql(pm.variables.get('user_id'));`],
      }),
      request('Update the user: role', 'PUT /api/users/{{user_id}}', {
        token: 'admin_token', body: { role: 'publisher' }, status: 200, check: [`pm.expect(body.role).to.eql('publisher');`],
      }),
      request('Change the password: of another user', 'PUT /api/users/{{user_id}}/password', {
        token: 'admin_token', body: { current_password: nextPassword, new_password: 'another password of mine' }, status: 403,
        code: 'password_forbidden',
      }),
      request('Delete the last admin', 'DELETE /api/users/{{admin_id}}', { token: 'admin_token', status: 409, code: 'last_admin' }),
      request('Get the order of another user', 'GET /api/orders/{{second_id}}', { token: 'admin_token', status: 200 }),
      request('List the events of the first order', 'GET /api/events?correlation_id=postman-{{run}}&key={{order_id}}&order=asc', {
        token: 'admin_token', status: 200, until: 'body.items.length >= 4', save: { event_id: 'body.items[0].id' },
        check: [
          `pm.expect(body.items.map((e) => e.type)).to.eql(['order.placed.v1', 'order.updated.v1', 'order.cancelled.v1', 'order.deleted.v1']);`,
          `pm.expect(body.items.map((e) => e.sequence)).to.eql([1, 2, 3, 4]);`,
        ],
      }),
      request('Get an event', 'GET /api/events/{{event_id}}', {
        token: 'admin_token', status: 200,
        check: [`pm.expect(body.metadata['ce-type']).to.eql('order.placed.v1');`, `pm.expect(body.data.total).to.eql(498);`,
          `pm.expect(body.data).to.not.have.property('note');`],
      }),
      request('Get an event: unknown ID', `GET /api/events/${unknownID}`, { token: 'admin_token', status: 404, code: 'event_not_found' }),
      request('List poison messages', 'GET /api/poison?status=open', {
        token: 'admin_token', status: 200, save: { poison_id: 'body.items[0].id' },
        check: [
          `// If there are no poison messages, the next requests are answered with 404.`,
          `if (body.items.length === 0) pm.collectionVariables.set('poison_id', '${unknownID}');`,
        ],
      }),
      request('Get a poison message', 'GET /api/poison/{{poison_id}}', {
        token: 'admin_token', status: [200, 404],
        check: [`if (pm.response.code === 200) pm.expect(body).to.include.keys('reason', 'attempts', 'fingerprint', 'consumer');`],
      }),
      request('Requeue a poison message', 'POST /api/poison/{{poison_id}}/requeue', {
        token: 'admin_token', status: [200, 404], check: [`if (pm.response.code === 200) pm.expect(body.status).to.eql('requeued');`],
      }),
      request('Requeue a poison message: unknown ID', `POST /api/poison/${unknownID}/requeue`, {
        token: 'admin_token', status: 404, code: 'poison_not_found',
      }),
      request('End all sessions of a user', 'DELETE /api/users/{{user_id}}/sessions', { token: 'admin_token', status: 204 }),
      request('End all sessions of a user: unknown ID', `DELETE /api/users/${unknownID}/sessions`, {
        token: 'admin_token', status: 404, code: 'user_not_found',
      }),
    ],
  },
  {
    name: 'Deletion',
    requests: [
      request('Delete the own account', 'DELETE /api/users/{{user_id}}', { token: 'user_token', status: 204 }),
      request('Get a user: deleted', 'GET /api/users/{{user_id}}', { token: 'admin_token', status: 404, code: 'user_not_found' }),
      request('Get an order of the deleted user', 'GET /api/orders/{{second_id}}', {
        token: 'admin_token', status: 200, until: `body.status === 'cancelled'`, check: [`pm.expect(body.cancel_reason).to.eql('user_deleted');`],
      }),
      request('List orders: token of a deleted user', 'GET /api/orders', {
        token: 'user_token', status: 401, code: 'invalid_token', until: `body.code === 'invalid_token'`,
      }),
    ],
  },
];
