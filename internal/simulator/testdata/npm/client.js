// Makes the calls that standard input lists, with Alibaba Cloud's own client, and prints what each returned or why it
// was refused. NODE_PATH is where @alicloud/cas20200407 lies.
const cas = require('@alicloud/cas20200407');
const { $OpenApiUtil } = require('@alicloud/openapi-core');

async function main() {
  const { endpoint, calls } = JSON.parse(require('fs').readFileSync(0, 'utf8'));
  const results = [];
  for (const call of calls) {
    const client = new cas.default(new $OpenApiUtil.Config({
      endpoint, protocol: 'http', regionId: 'cn-hangzhou', accessKeyId: call.id, accessKeySecret: call.secret,
      securityToken: call.token || undefined, type: call.token ? 'sts' : 'access_key', signatureAlgorithm: call.algorithm || undefined,
    }));
    const method = call.action[0].toLowerCase() + call.action.slice(1);
    try {
      const answer = await client[method](new cas[call.action + 'Request'](call.parameters));
      results.push({ status: answer.statusCode, body: answer.body });
    } catch (err) {
      results.push({ status: err.statusCode || 0, code: err.code || String(err) });
    }
  }
  process.stdout.write(JSON.stringify(results));
}

main();
