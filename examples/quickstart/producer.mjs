// Places an order every second.
import process from 'node:process';
import { setTimeout } from 'node:timers/promises';

const endpoint = process.env.AWS_ENDPOINT_URL;
const queue = `${endpoint}/000000000000/orders`;

async function place(order) {
  const body = new URLSearchParams({
    Action: 'SendMessage',
    MessageBody: JSON.stringify({ order, status: order % 4 === 0 ? 'draft' : 'placed' }),
  });
  try {
    const response = await fetch(queue, { method: 'POST', body });
    console.log(response.ok ? `Placed order ${order}` : `Not placed: ${response.status}`);
    return response.ok;
  } catch (error) {
    console.log(`Not placed: ${error.cause?.message ?? error.message}`);
    return false;
  }
}

for (let order = 1; ; ) {
  if (await place(order)) order++;
  await setTimeout(1_000);
}
