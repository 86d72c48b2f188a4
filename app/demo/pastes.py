"""Forty ordinary pastes: what a paste site holds on any day. All of it is written for the demo."""

import hashlib

from app.demo.content import Paste

_WRITTEN = """
=== retry with backoff | python
import random, time

def patiently(call, tries=5, base=0.2):
    for attempt in range(tries):
        try:
            return call()
        except ConnectionError:
            time.sleep(base * 2 ** attempt + random.random() / 10)
    raise TimeoutError(f"gave up after {tries} tries")
=== greenhouse.log | log
2026-11-20 04:00:01 INFO  vent=closed temp=11.4 hum=83
2026-11-20 05:00:01 INFO  vent=closed temp=11.1 hum=84
2026-11-20 06:00:02 WARN  sensor 3 silent for 3600 s
2026-11-20 07:00:01 INFO  vent=open temp=14.8 hum=71
2026-11-20 08:00:01 INFO  sensor 3 back, offset 0.4
=== pumpkin soup for six | text
1 kg pumpkin, 2 onions, 30 g ginger, 400 ml coconut milk, lime.
Roast the pumpkin at 200 C for 35 minutes. Sweat onions and ginger, add everything and 800 ml stock, blend.
Lime at the very end. Freezes well.
=== products_autumn.csv | csv
sku,name,price,stock
LB-1001,Brass lantern,39.00,12
LB-1002,Felt slippers,24.50,40
LB-1003,Oak bread board,31.20,7
LB-1004,Wool blanket,88.00,19
LB-1005,Enamel kettle,45.90,0
=== 周末去哪儿 | text
周六想去湖边露营，有没有人一起？帐篷我有两顶，缺一个会生火的。
上次小雨把睡袋全弄湿了，这回看天气预报说多云，应该没事。
晚上可以煮番茄面，带点橘子，早上看日出再回来。
=== binary search, again | c
int find(const int *a, int n, int key) {
    int lo = 0, hi = n;
    while (lo < hi) {
        int mid = lo + (hi - lo) / 2;
        if (a[mid] < key) lo = mid + 1; else hi = mid;
    }
    return lo < n && a[lo] == key ? lo : -1;
}
=== 红烧茄子 | text
茄子三根切滚刀块，撒盐腌十分钟挤干水，薄薄拍一层淀粉。
油热后炸到边缘金黄，另起锅爆香蒜末和豆瓣酱，加糖、生抽、半碗水，倒茄子收汁。
出锅前撒葱花，配米饭能吃两碗。
=== nginx, small and boring | nginx
server {
    listen 8080;
    location / { root /srv/www; try_files $uri $uri/ =404; }
    location /api/ { proxy_pass http://127.0.0.1:9000/; proxy_read_timeout 30s; }
}
=== harbour, late | text
The cranes have folded up their necks,
the tide is counting boats by touch;
a radio on one of the decks
says nothing new, and not too much.
=== 小诗一首 | text
窗台上晒着半片橘子皮，
风把它吹成一只船，
我们都没有去过海边，
却听见桨声走远。
=== chess opening notes | text
1. e4 c6 2. d4 d5 3. Nc3 dxe4 4. Nxe4 Bf5 5. Ng3 Bg6 6. h4 h6
Remember: knight to f3 before h5. I lose this one on move 14 every time.
=== backup.sh | bash
#!/bin/sh
set -eu
stamp=$(date +%F)
tar -C "$HOME" -czf "/mnt/backup/home-$stamp.tar.gz" Documents Pictures
find /mnt/backup -name 'home-*.tar.gz' -mtime +30 -delete
=== train times I keep forgetting | text
Marsh Halt 06:52 07:22 07:52 then hourly. Last one back 23:08, Sundays 21:38. The 18:05 never has a dining car.
=== is it normal to get dizzy after donating blood? | text
Gave blood for the first time on Tuesday and felt light headed on the stairs for two days. I drink plenty and eat
meat. The leaflet says a day at most. Does iron help, or should I just wait? No other symptoms, blood pressure fine.
=== 胃镜前要注意什么 | text
下周做无痛胃镜，说要空腹八小时，水也不能喝吗？平时吃降压药，早上那顿要不要停？
有慢性胃炎好几年了，医生怀疑幽门螺杆菌。有做过的朋友说说经验。
=== docker compose for a wiki | yaml
services:
  wiki:
    image: example/wiki:4
    ports: ["127.0.0.1:3000:3000"]
    volumes: ["./data:/data"]
    restart: unless-stopped
=== sql: last order of each customer | sql
SELECT DISTINCT ON (customer) customer, ordered_at, total
FROM orders
ORDER BY customer, ordered_at DESC;
=== 租房合同常见坑 | text
一看押金退还期限，二看水电是否按民用价，三看家具清单有没有拍照。
中介费一般半个月到一个月，提前退租违约金超过两个月就别签。
=== knitting: moss stitch scarf | text
Cast on 31. Row 1: *k1, p1*, k1. Every row the same. Change colour each 24 rows. Stop at 180 cm or when bored.
=== stack trace, any ideas? | text
Traceback (most recent call last):
  File "render.py", line 88, in main
    frame = decoder.next()
  File "decoder.py", line 41, in next
    raise ValueError("short read: 512 of 4096")
ValueError: short read: 512 of 4096
=== 猫不吃新猫粮 | text
换粮第三天，两只猫都只闻一下就走。已经按七比三混了旧粮，是不是口味问题？
体重没掉，精神很好，晚上照样跑酷。要不要试试温水泡一下？
=== haskell one-liner of the day | haskell
primes = sieve [2..] where sieve (p:xs) = p : sieve [x | x <- xs, x `mod` p /= 0]
=== bike gear ratios | text
50/11 4.55   50/13 3.85   50/15 3.33   50/17 2.94
34/19 1.79   34/22 1.55   34/25 1.36   34/28 1.21
=== css centre | css
.stage { display: grid; place-items: center; min-height: 100vh; }
=== 考研打卡第40天 | text
今天背了两百个单词，政治看到第三章，数学做了一套真题，选择错了五个。
晚上图书馆停电半小时，大家一起在走廊聊天，反而很放松。明天继续。
=== serial console on the old board | text
U-Boot 2019.07 (Jan 03 2020 - 10:12:44)
DRAM: 512 MiB
Loading kernel from mmc 0:1 ... 4821032 bytes read
Starting kernel ...
=== ladder of birdsong at dawn | text
Blackbird 04:12, robin 04:19, wren 04:31, song thrush 04:33, chaffinch 05:02, sparrow when it pleases.
=== json schema for seeds | json
{"type": "object", "required": ["species", "sown"], "properties": {"species": {"type": "string"},
 "sown": {"type": "string", "format": "date"}, "depth_mm": {"type": "number", "minimum": 1}}}
=== my grandmother's plum jam | text
Two parts plums, one part sugar, a stick of cinnamon. Stir until it falls from the spoon in one piece. Jars hot.
=== 高铁换乘攻略 | text
同站换乘不用出站，跟着蓝色指示牌走，预留二十分钟足够。带大箱子走电梯，别跟人挤扶梯。
=== gc tuning results | text
heap 2g: p50 11 ms, p99 74 ms
heap 4g: p50 11 ms, p99 41 ms
heap 8g: p50 12 ms, p99 96 ms   (why?)
=== quiz night, round three | text
1. Which metal melts in the hand? 2. How many strings has a sitar, roughly? 3. What is the left bank of the Thames?
=== migraine diary template | text
date | hours | side | aura y/n | what I ate | slept | tablet taken | worked y/n
My neurologist asked for six weeks of this. Sumatriptan helps if I take it in the first half hour, otherwise not.
=== 孩子发烧39度怎么办 | text
两岁半，昨晚开始发烧，最高三十九度二，喂了布洛芬能退，四小时后又起来。
精神还可以，有点流鼻涕，没有皮疹。要不要马上去医院，还是先观察一天？
=== lua timer | lua
local t0 = os.clock()
for i = 1, 1e7 do local _ = i * i end
print(("%.3f s"):format(os.clock() - t0))
=== allotment rota | text
Mon beds 1-4, Wed compost, Fri beds 5-9, Sun gate key to whoever is last. Slugs are everyone's problem.
=== 旧书转让 | text
整理书架，出二十本旧小说，五元一本，八成新，自提。还有一套棋谱，缺第三册。
=== firmware changelog | text
1.8.2 fixes the clock drifting 3 s a day. 1.8.1 withdrawn. 1.8.0 adds dimming, removes the demo mode nobody used.
=== rust: read lines | rust
use std::io::{self, BufRead};
fn main() { for line in io::stdin().lock().lines().map_while(Result::ok) { println!("{}", line.len()); } }
=== results of the model train club | text
Open class: 1. Vernon's viaduct, 2. the harbour branch, 3. a very small tram. Lap record 41.7 s, disputed.
"""


def _pastes(written: str) -> tuple[Paste, ...]:
    """Return the pastes written one below another under `=== title | syntax` lines; ids follow from the titles."""
    made = []
    for number, block in enumerate(written.removeprefix("\n=== ").split("\n=== ")):
        head, _, text = block.partition("\n")
        title, _, syntax = head.rpartition(" | ")
        paste_id = hashlib.sha256(title.encode()).hexdigest()[:6]
        made.append(Paste(paste_id, title, syntax, text.rstrip("\n") + "\n", 15 + 11 * number))
    return tuple(made)


ORDINARY_PASTES = _pastes(_WRITTEN)
"""Nothing here is about anybody."""
