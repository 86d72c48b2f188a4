"""Fifteen ordinary forum threads, questions about health among them. All of it is written for the demo."""

from app.demo.content import Post, Thread

_WRITTEN = """
=== What are you reading this week?
bookmoth: Halfway through a history of lighthouses. More quarrels about lamp oil than I expected.
tinhat: Nothing. I bought four books and watched the rain.
=== 新人报到
小鹿乱撞: 大家好，刚搬到这个城市，喜欢爬山和做饭，多多关照。
版主老周: 欢迎，先看置顶的版规，周末常有徒步活动。
=== 半月茶馆的新菜单
茶小二: 今天路过拍的，酸梅汤涨了三块。
[menu_board.png]
南瓜饼: 核桃酥还是十二块，良心。
=== Bike stolen near the library
spokes: Green frame, one white mudguard, bell shaped like a frog. If you see the frog, tell me.
bookmoth: There is a green one chained behind the swimming pool since Sunday.
=== 体检报告看不懂
云淡风轻: 尿酸四百六十，医生说偏高，是不是就是痛风？平时爱喝啤酒吃海鲜，脚趾没疼过。
木头人: 没发作不算痛风，少喝酒多喝水，三个月后复查。我当年五百多也没事。
=== Which type 2 diabetes app do you use?
oatcake: Diagnosed in spring, on metformin twice a day, HbA1c was 58. I want something that draws a simple graph.
tinhat: Paper and pencil. Nobody has ever sold my pencil's data.
=== 求推荐靠谱的牙医
豆浆油条: 右下智齿横着长，片子拍了，说要切开取。怕疼，有没有做过的？
小鹿乱撞: 我去年拔的，麻药一打没感觉，肿了四天，冰敷很有用。
=== Sourdough: why so flat?
crumb: Starter doubles in five hours, the dough is 75 percent water, proofed overnight at 6 degrees. Still a pancake.
oatcake: Under-kneaded, I would say. Four folds in the first two hours.
=== 停电通知
版主老周: 周四上午九点到十一点东区检修停电，请提前充电。论坛服务器有备用电源，应该不会断。
=== Is chest tightness always the heart?
quietfox: Tight feeling on stairs for a week, I am 44 and smoke a little. ECG at the walk-in was normal.
bookmoth: Nobody here can tell you. Go back and ask about a treadmill test, and go at once if it comes at rest.
=== 失眠怎么调理
夜猫子: 连续半个月凌晨三点醒，醒了就睡不着，白天头昏。不想吃安眠药，有别的办法吗？
云淡风轻: 先把下午的咖啡停了，睡前别看手机，不行就去睡眠门诊，不丢人。
=== Selling: upright piano, you carry
ivory: Third floor, no lift, one key sticks when it is humid. Free to whoever has four strong friends.
=== 本地足球队又输了
球迷阿勇: 下半场十五分钟丢三个球，门将发球直接给对面，看得我饭都吃不下。
茶小二: 下周主场，票便宜，还去吗？
=== Meteor shower on Saturday
stargazer: Best after one in the morning, look east, bring a blanket. The quarry car park is dark enough.
spokes: I will bring soup if somebody brings spoons.
=== 老人白内障手术要多少钱
豆浆油条: 家里老人七十多岁，左眼白内障，医生建议换晶体，进口和国产差别大吗？
木头人: 我妈做的国产单焦点，报销后自己出了两千多，看报纸没问题。
"""


def _threads(written: str) -> tuple[Thread, ...]:
    """Return the threads written one below another: `=== title`, `author: text`, `[picture]` for the post above it."""
    made = []
    for number, block in enumerate(written.removeprefix("\n=== ").split("\n=== ")):
        title, *lines = block.strip().splitlines()
        posts: list[Post] = []
        for line in lines:
            if line.startswith("["):
                posts[-1] = Post(posts[-1].author, posts[-1].text, line.strip("[]"))
            else:
                author, _, text = line.partition(": ")
                posts.append(Post(author, text))
        made.append(Thread(str(4080 + number), title, tuple(posts), 20 + 37 * number))
    return tuple(made)


ORDINARY_THREADS = _threads(_WRITTEN)
"""Nothing here is about anybody."""
